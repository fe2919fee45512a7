-- Tries at stopping a mandate by what its paper says (claim M18), counted by day and by whoever tries or what is tried. Shared by instances.
create table stop_try (
  day date not null,
  scope text not null check (scope in ('aidant', 'address', 'code')),
  holder bytea not null check (octet_length(holder) = 32),
  tries int not null check (tries between 0 and 1000),
  primary key (day, scope, holder)
);
grant select, insert, update (tries), delete on stop_try to relais_app;
