# SPDX-License-Identifier: Apache-2.0
"""`python -m speechmill`."""

from speechmill.cli.main import main

if __name__ == "__main__":
    main()
