#!/bin/bash
# Runs once, when the control database's container makes its data directory: roles and database, from the same SQL
# files as the embedded servers use. Passwords are read by psql from the environment; they are never arguments.
set -euo pipefail

SQL_DIR=${PHASEGATE_SQL_DIR:-/phasegate-sql}
CONTROL_DATABASE=phasegate

run_file() {  # FILE DATABASE; the files name their values in braces, psql quotes what takes their place
    {
        printf '%s\n' '\getenv owner_password CONTROL_OWNER_PASSWORD' '\getenv app_password CONTROL_APP_PASSWORD'
        printf '\\set database %s\n' "$CONTROL_DATABASE"
        sed -e "s/{owner_password}/:'owner_password'/g" \
            -e "s/{app_password}/:'app_password'/g" \
            -e 's/{database}/:"database"/g' "$SQL_DIR/$1"
    } | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$2"
}

: "${CONTROL_OWNER_PASSWORD:?is not set}" "${CONTROL_APP_PASSWORD:?is not set}"
run_file control_roles.sql postgres
createdb --username="$POSTGRES_USER" --owner=phasegate_owner --template=template0 "$CONTROL_DATABASE"
run_file control_access.sql postgres
run_file control_schema.sql "$CONTROL_DATABASE"
