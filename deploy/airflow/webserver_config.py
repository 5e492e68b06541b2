# SPDX-License-Identifier: Apache-2.0
"""Who may sign in to Airflow: users in its own database, whom an admin adds. Roles: Admin, Op, User, Viewer.

For an identity provider set AUTH_TYPE to AUTH_OAUTH or AUTH_LDAP here, and map its groups with AUTH_ROLES_MAPPING.
"""

from flask_appbuilder.const import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_USER_REGISTRATION = False
WTF_CSRF_ENABLED = True
