-- A user for `cdc-archive doctor`: it reads the catalog, sees the sessions of others, and no row of any table.
CREATE ROLE cdc_archive_doctor LOGIN PASSWORD :'password' CONNECTION LIMIT 2;
GRANT pg_monitor TO cdc_archive_doctor;
ALTER ROLE cdc_archive_doctor SET default_transaction_read_only = on;
