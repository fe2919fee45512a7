-- Entries in two boxes, with the numbers of their parties (journal.md §3.4). The leaves of an earlier, unreleased format cannot be carried over.
do $$ begin
  if exists (select 1 from journal.head where size > 0) or exists (select 1 from journal.queue) then
    raise exception 'the journal was written in a format from before the first release: start from an empty database (for the demonstration, remove the folder var)';
  end if;
end $$;

alter table journal.queue add column sealed_with text not null;

drop table journal.leaf;
drop table journal.payload;
drop table journal.projection;

-- No personal data: kept for ever. Partitions of 2^24 entries: exactly one tile of level 2 each.
create table journal.leaf (
  idx bigint primary key check (idx >= 0),
  at timestamptz not null,
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
  leaf bytea not null
) partition by range (idx);
alter table journal.leaf alter column leaf set storage external;

-- The sealed parts: what expires goes by month.
create table journal.payload (
  idx bigint not null,
  month date not null,
  class text not null,
  event_id uuid not null,
  box_subject bytea not null,
  box_actor bytea,
  primary key (idx, month)
) partition by range (month);

-- Identifiers only, for search, and the number of the entry for each of its parties: n of a party carries its tag n.
create table journal.projection (
  idx bigint primary key,
  at timestamptz not null,
  usager_n bigint, organisation_n bigint, administration_n bigint, aidant_n bigint,
  type text not null,
  usager text, aidant text, organisation text, mandate text, session text, service text, administration text,
  theme text, demarche text, verb text, outcome text, actor text,
  check ((usager is null) = (usager_n is null)),
  check ((organisation is null) = (organisation_n is null)),
  check ((administration is null) = (administration_n is null)),
  check ((aidant is null) = (aidant_n is null))
);
create index projection_usager on journal.projection (usager, idx desc) where usager is not null;
create index projection_administration on journal.projection (administration, idx desc) where administration is not null;
create index projection_organisation on journal.projection (organisation, idx desc) where organisation is not null;
create index projection_aidant on journal.projection (aidant, idx desc) where aidant is not null;
create index projection_session on journal.projection (session, idx) where session is not null;

-- Whoever erases a person takes her identifiers out of what is searched, and changes nothing else.
create or replace function journal.refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and tg_table_schema = 'journal' and tg_table_name = 'projection' and current_user = 'relais_eraser' then return new; end if;
  raise exception 'journal.% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
end $$;

create function journal.guard_table(name text) returns void language plpgsql as $$
begin
  if not exists (select 1 from pg_trigger where tgrelid = format('journal.%I', name)::regclass and tgname = 'append_only') then
    execute format('create trigger append_only before update or delete on journal.%I for each row execute function journal.refuse_change()', name);
  end if;
  execute format('create trigger append_only_truncate before truncate on journal.%I for each statement execute function journal.refuse_change()', name);
  execute format('alter table journal.%I enable always trigger append_only', name);
  execute format('alter table journal.%I enable always trigger append_only_truncate', name);
end $$;
select journal.guard_table(t) from unnest(array['leaf', 'payload', 'projection']) t;

-- Makes what the next entries need: the partition of the head and the one after, the month of `now` and the two that follow. Returns how many
-- were missing. Without a partition an entry cannot be written, and nothing goes on.
create function journal.ensure_partitions(now timestamptz) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  step constant bigint := 16777216;
  first bigint;
  month date;
  name text;
  made int := 0;
begin
  perform pg_advisory_xact_lock(7351003);
  select size / step into first from journal.head;
  for i in first .. first + 1 loop
    name := 'leaf_' || i;
    if to_regclass('journal.' || name) is null then
      execute format('create table journal.%I partition of journal.leaf for values from (%s) to (%s)', name, i * step, (i + 1) * step);
      perform journal.guard_table(name);
      made := made + 1;
    end if;
  end loop;
  for i in 0 .. 2 loop
    month := (date_trunc('month', now at time zone 'UTC') + make_interval(months => i))::date;
    name := 'payload_' || to_char(month, 'YYYY_MM');
    if to_regclass('journal.' || name) is null then
      execute format('create table journal.%I partition of journal.payload for values from (%L) to (%L)', name, month, (month + interval '1 month')::date);
      perform journal.guard_table(name);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
revoke all on function journal.ensure_partitions(timestamptz), journal.guard_table(text) from public;
grant execute on function journal.ensure_partitions(timestamptz) to relais_sequencer;

grant usage on schema journal to relais_eraser;
grant select on journal.leaf, journal.payload, journal.projection to relais_app, relais_eraser;
grant select, insert on journal.leaf, journal.payload, journal.projection to relais_sequencer;
grant update (usager, usager_n, aidant, aidant_n, mandate, session, actor) on journal.projection to relais_eraser;
