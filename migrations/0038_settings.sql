-- What each setting was when a process last started with it: a digest, so that a change is told in the journal and no value is kept.
create table setting (name text primary key, digest text not null);
grant select, insert, update on setting to relais_app;
