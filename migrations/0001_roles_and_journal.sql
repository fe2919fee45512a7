-- Roles are NOLOGIN: each connection starts with SET ROLE (architecture.md). They belong to the cluster, hence the tolerance.
do $$ begin create role relais_app nologin; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin create role relais_sequencer nologin; exception when duplicate_object or unique_violation then null; end $$;

create schema journal;
grant usage on schema journal to relais_app, relais_sequencer;

-- What waits to be sequenced. A business transaction inserts here, or does not commit (journal.md §0.1).
create table journal.queue (
  id bigint generated always as identity primary key,
  event_id uuid not null unique,
  type text not null,
  class text not null,
  writer text not null,
  at timestamptz not null,
  parties jsonb not null,
  box bytea not null,
  commitment bytea not null check (octet_length(commitment) = 32),
  mac bytea not null check (octet_length(mac) = 32)
);

create table journal.head (
  log_id text primary key,
  size bigint not null check (size >= 0),
  root bytea not null check (octet_length(root) = 32),
  epoch bigint not null,
  writer text not null,
  at timestamptz not null,
  only_one boolean not null default true unique check (only_one)
) with (fillfactor = 10);
insert into journal.head (log_id, size, root, epoch, writer, at)
values (substr(replace(gen_random_uuid()::text, '-', ''), 1, 8), 0,
        '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0, 'migration', to_timestamp(0));

create table journal.leaf (
  idx bigint primary key check (idx >= 0),
  at timestamptz not null,
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
  leaf bytea not null
);
alter table journal.leaf alter column leaf set storage external;

-- Full tiles only; a partial tile is a prefix of what will be the full one, read from leaf or from the level below.
create table journal.tile (
  level int not null check (level >= 0),
  n bigint not null check (n >= 0),
  hashes bytea not null check (octet_length(hashes) = 8192),
  root bytea not null check (octet_length(root) = 32),
  primary key (level, n)
);

create table journal.payload (
  idx bigint primary key,
  event_id uuid not null,
  box bytea not null
);

create table journal.receipt (
  event_id uuid primary key,
  idx bigint not null unique,
  leaf_hash bytea not null
);

-- Identifiers only, for search. What is shown is opened from payload; `relais journal verify` compares both.
create table journal.projection (
  idx bigint primary key,
  at timestamptz not null,
  type text not null,
  usager text, aidant text, organisation text, mandate text, session text, service text, administration text,
  theme text, demarche text, verb text, outcome text, actor text
);
create index projection_usager on journal.projection (usager, idx desc) where usager is not null;
create index projection_administration on journal.projection (administration, idx desc) where administration is not null;
create index projection_organisation on journal.projection (organisation, idx desc) where organisation is not null;
create index projection_session on journal.projection (session, idx) where session is not null;

create table journal.checkpoint (
  size bigint primary key,
  root bytea not null,
  note text not null,
  at timestamptz not null
);

-- The past does not change by mistake. A superuser can take these off: what stops one is the signed checkpoint outside the database.
create function journal.refuse_change() returns trigger language plpgsql as $$
begin raise exception 'journal.% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege'; end $$;
do $$ declare t text; begin
  foreach t in array array['leaf', 'tile', 'payload', 'receipt', 'projection', 'checkpoint'] loop
    execute format('create trigger append_only before update or delete on journal.%I for each row execute function journal.refuse_change()', t);
    execute format('create trigger append_only_truncate before truncate on journal.%I for each statement execute function journal.refuse_change()', t);
    execute format('alter table journal.%I enable always trigger append_only', t);
    execute format('alter table journal.%I enable always trigger append_only_truncate', t);
  end loop;
end $$;

grant insert, select on journal.queue to relais_app;
grant select on journal.head, journal.leaf, journal.tile, journal.payload, journal.receipt, journal.projection, journal.checkpoint to relais_app;
grant select, delete on journal.queue to relais_sequencer;
grant select, update on journal.head to relais_sequencer;
grant select, insert on journal.leaf, journal.tile, journal.payload, journal.receipt, journal.projection, journal.checkpoint to relais_sequencer;
