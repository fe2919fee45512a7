-- Copies of signed sheets, sealed with a key that is not in the database. Nobody changes or removes one: a better copy is another row, and the newest is read.
create table paper_scan (
  id text primary key,
  paper_id text not null references paper_consent,
  kind text not null check (kind in ('pdf', 'jpeg', 'png')),
  size int not null check (size between 1 and 10485760),
  hash bytea not null check (octet_length(hash) = 32),
  box bytea not null check (octet_length(box) = size + 28),
  added_by text not null references staff,
  added_at timestamptz not null
);
create index paper_scan_paper on paper_scan (paper_id, added_at desc);

create function refuse_foreign_scan() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from paper_consent p where p.id = new.paper_id and is_aidant_of_draft(new.added_by, p.draft_id)) then
    raise exception 'whoever adds a copy is an aidant of the organisation' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger own_scan before insert on paper_scan for each row execute function refuse_foreign_scan();

grant select, insert on paper_scan to relais_app;
