-- As 0036, without a temporary table: who owns the tables need not own the database.
create or replace function journal.drop_payload(of_month text) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  first date := (of_month || '-01')::date;
  name text := 'payload_' || to_char(first, 'YYYY_MM');
  removed bigint;
begin
  perform pg_advisory_xact_lock(7351003);
  if to_regclass('journal.' || name) is null then return 0; end if;
  if exists (select 1 from (select distinct class from journal.payload where month = first union all select 'actor' from journal.payload
        where month = first and box_actor is not null) there
      where there.class <> 'log' and not exists (select 1 from public.period_erasure e where e.class = there.class and e.month = of_month and e.done_at is not null)) then
    raise exception 'not every key of % is destroyed', of_month using errcode = 'check_violation';
  end if;
  select count(*) into removed from journal.payload where month = first and class <> 'log';
  if removed = 0 then return 0; end if;
  execute format('alter table journal.payload detach partition journal.%I', name);
  execute format('alter table journal.%I rename to %I', name, name || '_gone');
  execute format('create table journal.%I partition of journal.payload for values from (%L) to (%L)', name, first, (first + interval '1 month')::date);
  execute format('insert into journal.%I select * from journal.%I where class = ''log''', name, name || '_gone');
  execute format('drop table journal.%I', name || '_gone');
  perform journal.guard_table(name);
  return removed;
end $$;

-- What was erased, for whoever asks (/api/v1/journal/erasures).
create index projection_erasure on journal.projection (idx desc) where type in ('erasure.executed', 'partition.dropped');
