-- Keys of the sealed parts of entries, each wrapped by `payload-kek` (journal.md §3.8). This file alone also makes the key store of
-- JOURNAL_KEYS_URL, when that is another database: hence the roles, which that cluster may not have.
do $$ begin create role relais_app nologin; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin create role relais_sequencer nologin; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin create role relais_eraser nologin; exception when duplicate_object or unique_violation then null; end $$;

create schema journal_keys;
grant usage on schema journal_keys to relais_app, relais_sequencer, relais_eraser;

-- One key a party. `wrapped` null: erased, for ever; the row stays, so that no other key is made in its place.
create table journal_keys.person_key (
  party_id text primary key,
  wrapped bytea,
  made_at timestamptz not null default now(),
  erased_at timestamptz,
  check ((wrapped is null) = (erased_at is not null))
);

-- One key a class and month (`YYYY-MM`); class `queue`: one a day (`YYYY-MM-DD`).
create table journal_keys.period_key (
  class text not null check (class in ('access', 'mandate', 'staff', 'log', 'actor', 'queue')),
  period text not null check (period ~ case when class = 'queue' then '^\d{4}-\d\d-\d\d$' else '^\d{4}-\d\d$' end),
  wrapped bytea,
  made_at timestamptz not null default now(),
  erased_at timestamptz,
  primary key (class, period),
  check ((wrapped is null) = (erased_at is not null))
);

-- A key is made once and may only be erased: never replaced, never brought back, never forgotten.
create function journal_keys.only_erased() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.wrapped is not null and new.wrapped is null
    and row(old.made_at, case when tg_table_name = 'person_key' then to_jsonb(old)->>'party_id' else (to_jsonb(old)->>'class') || (to_jsonb(old)->>'period') end)
      is not distinct from
      row(new.made_at, case when tg_table_name = 'person_key' then to_jsonb(new)->>'party_id' else (to_jsonb(new)->>'class') || (to_jsonb(new)->>'period') end)
  then return new; end if;
  raise exception 'a key is only erased: % of journal_keys.% refused', tg_op, tg_table_name using errcode = 'insufficient_privilege';
end $$;
do $$ declare t text; begin
  foreach t in array array['person_key', 'period_key'] loop
    execute format('create trigger only_erased before update or delete on journal_keys.%I for each row execute function journal_keys.only_erased()', t);
    execute format('create trigger only_erased_truncate before truncate on journal_keys.%I for each statement execute function journal_keys.only_erased()', t);
    execute format('alter table journal_keys.%I enable always trigger only_erased', t);
    execute format('alter table journal_keys.%I enable always trigger only_erased_truncate', t);
  end loop;
end $$;

grant select, insert on journal_keys.person_key, journal_keys.period_key to relais_app, relais_sequencer;
grant select, update (wrapped, erased_at) on journal_keys.person_key, journal_keys.period_key to relais_eraser;
