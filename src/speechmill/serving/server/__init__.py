# SPDX-License-Identifier: Apache-2.0
"""What is copied into a repository and runs in the server's Python: numpy and onnxruntime, no speechmill."""
