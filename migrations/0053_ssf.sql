-- Shared Signals (SSF 1.0): where a service that asked for it is told, by push or by poll; one stream a service.
create table stream (
  id text primary key,
  service_id text not null unique references service,
  method text not null check (method in ('push', 'poll')),
  endpoint text,
  authorization_box bytea,
  requested text[] not null,
  -- Those of them that are told, by our names.
  events text[] not null check (events <@ array['session-revoked', 'mandate-ended']),
  description text,
  status text not null default 'enabled' check (status in ('enabled', 'paused', 'disabled')),
  status_reason text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((method = 'push') = (endpoint is not null))
);
-- Subjects of which the service wants to hear nothing, as hashes.
create table stream_excluded (
  stream_id text not null references stream on delete cascade,
  subject bytea not null check (length(subject) = 32),
  primary key (stream_id, subject)
);
grant select, insert, update, delete on stream, stream_excluded to relais_app;

-- A SET waits in the outbox like any other notice. `stream_id` outlives its stream: the row says what was told.
alter table delivery add column stream_id text, add column event text, drop constraint delivery_kind_check;
alter table delivery add constraint delivery_kind_check check (kind in ('logout', 'mail', 'sms', 'set')) not valid;
alter table delivery validate constraint delivery_kind_check;
alter table delivery add constraint delivery_set check ((kind = 'set') = (stream_id is not null) and (kind = 'set') = (event is not null));
create index delivery_stream on delivery (stream_id, seq) where done_at is null;

-- Services are still told that it stopped, by whichever way; nobody else is told anything any more.
do $$
declare
  body text := pg_get_functiondef('erase_person(text, timestamptz)'::regprocedure);
begin
  if position('kind <> ''logout''' in body) = 0 then raise exception 'erase_person is not as expected'; end if;
  execute replace(body, 'kind <> ''logout''', 'kind not in (''logout'', ''set'')');
end $$;
create index delivery_told on delivery (session_id) where acknowledged_at is not null;
