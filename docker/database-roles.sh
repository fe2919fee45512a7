#!/bin/sh
# Runs once, when the database is created. `relais` is who the instances log in as: it owns nothing, and starts each connection with SET ROLE.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$RELAIS_DATABASE_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
create role relais_app nologin;
create role relais_sequencer nologin;
create role relais_eraser nologin;
create role relais login noinherit password :'password' in role relais_app, relais_sequencer, relais_eraser;
revoke all on database relais from public;
grant connect on database relais to relais;
SQL
