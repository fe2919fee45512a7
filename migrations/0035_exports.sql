-- Files that leave an administration's space: what was asked, why, and how many people are in it (claim J9). `size`: nothing at or above this index
-- is in it, so that what a second agent approved is what leaves, whatever is written meanwhile.
create table journal_export (
  id text primary key check (id like 'exp\_%'),
  administration_id text not null references administration,
  asked_by text not null references staff,
  reason text not null check (length(reason) between 1 and 200),
  filter text not null,
  size bigint not null check (size >= 0),
  entries int not null check (entries >= 0),
  persons int not null check (persons between 0 and entries),
  approval_id text unique references approval,
  asked_at timestamptz not null,
  done_at timestamptz
);
create index journal_export_asked on journal_export (asked_by, done_at) where approval_id is null;
create index journal_export_open on journal_export (administration_id, asked_at desc) where done_at is null;

-- More than 1,000 people in a day by one agent never leave without a second person's approval, whatever the code does, in one file or in many at once.
create function journal_export_second_person() returns trigger language plpgsql as $$
begin
  if new.done_at is null then
    return new;
  end if;
  if new.approval_id is not null then
    if not exists (
      select 1 from approval a where a.id = new.approval_id and a.kind = 'journal-export' and a.subject = new.id and a.approved_by is not null
    ) then
      raise exception 'an export of more than 1,000 people waits for a second person';
    end if;
    return new;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('journal_export ' || new.asked_by, 0));
  if new.persons + (
    select coalesce(sum(e.persons), 0) from journal_export e
    where e.asked_by = new.asked_by and e.approval_id is null and e.id <> new.id and e.done_at > new.done_at - interval '24 hours'
  ) > 1000 then
    raise exception 'an export of more than 1,000 people waits for a second person';
  end if;
  return new;
end $$;
create trigger second_person before insert or update on journal_export for each row execute function journal_export_second_person();

grant select, insert on journal_export to relais_app;
grant update (done_at) on journal_export to relais_app;
