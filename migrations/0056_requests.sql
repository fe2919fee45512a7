-- An agent reads the journal of their administration, or looks after its services: one of the two, so that each sees no more than their work needs.
alter table agent add column role text not null default 'reader' check (role in ('reader', 'integrator'));

-- What each service asked lately, for whoever integrates it: where and with what code, nothing of what was sent nor of whom it was about. A few hundred
-- lines a service, a week at most.
create table request_log (
  id bigint generated always as identity primary key,
  service_id text not null references service,
  at timestamptz not null,
  endpoint text not null check (endpoint ~ '^[a-z_/]{1,30}$'),
  code text not null check (code ~ '^[a-z0-9_]{1,60}$'),
  status int not null check (status between 100 and 599)
);
create index request_log_service on request_log (service_id, id desc);
create index request_log_at on request_log (at);
grant select, insert, delete on request_log to relais_app;
