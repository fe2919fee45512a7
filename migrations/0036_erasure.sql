-- Who is erased, what is erased with time, and what must not be (journal.md §3.8).
alter table usager add column erased_at timestamptz;

-- One erasure of a person: asked by one opérateur, given by another (approval of kind `erasure`), then done step by step, each of which may be run again.
create table erasure (
  id text primary key,
  -- Whom; nobody any more once it is done.
  usager_id text references usager,
  ground text not null check (ground ~ '^[a-z][a-z0-9-]{1,39}$'),
  asked_at timestamptz not null,
  begun_at timestamptz,
  -- How many entries the journal has said to be erased.
  said bigint not null default 0 check (said >= 0),
  done_at timestamptz,
  check (begun_at is not null or done_at is null),
  check ((usager_id is null) = (done_at is not null))
);
create unique index erasure_begun on erasure (usager_id) where begun_at is not null;

-- One key of a class and month that retention has destroyed, from the decision to the entry that says it.
create table period_erasure (
  class text not null check (class in ('access', 'mandate', 'staff', 'actor')),
  month text not null check (month ~ '^\d{4}-\d\d$'),
  begun_at timestamptz not null,
  done_at timestamptz,
  primary key (class, month)
);

-- What an authority asked to keep: of one person, or of one class and month.
create table legal_hold (
  id text primary key,
  usager_id text references usager,
  class text check (class in ('access', 'mandate', 'staff', 'actor')),
  month text check (month ~ '^\d{4}-\d\d$'),
  ground text not null check (ground ~ '^[a-z][a-z0-9-]{1,39}$'),
  placed_at timestamptz not null,
  lifted_at timestamptz,
  check ((usager_id is null) = (class is not null) and (class is null) = (month is null))
);
create index legal_hold_standing on legal_hold (usager_id, class, month) where lifted_at is null;

-- Holds and erasures wait for each other. A person under hold is not erased; of months, the one of the hold, and for a person all in which she has entries.
create function is_held(person text) returns boolean language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  perform pg_advisory_xact_lock(7351006);
  return exists (select 1 from legal_hold h where h.usager_id = person and h.lifted_at is null);
end $$;
create function is_held(of_class text, of_month text) returns boolean language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
  perform pg_advisory_xact_lock(7351006);
  return exists (select 1 from legal_hold h where h.lifted_at is null and (h.class = of_class and h.month = of_month
    or h.usager_id is not null and exists (select 1 from journal.projection p where p.usager = h.usager_id
      and p.at >= (of_month || '-01')::timestamp at time zone 'UTC' and p.at < ((of_month || '-01')::timestamp + interval '1 month') at time zone 'UTC')));
end $$;

create function refuse_held() returns trigger language plpgsql as $$
begin
  if tg_table_name = 'legal_hold' then
    perform pg_advisory_xact_lock(7351006);
    if exists (select 1 from usager u where u.id = new.usager_id and u.erased_at is not null)
      or exists (select 1 from period_erasure p where p.class = new.class and p.month = new.month) then
      raise exception 'what is erased cannot be held' using errcode = 'check_violation';
    end if;
  elsif is_held(new.class, new.month) then
    raise exception 'a hold stands: nothing is erased' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger not_erased before insert on legal_hold for each row execute function refuse_held();
create trigger not_held before insert on period_erasure for each row execute function refuse_held();
create trigger stays before update on legal_hold for each row execute function refuse_undo('lifted_at');
create trigger stays before update on period_erasure for each row execute function refuse_undo('done_at');
create trigger stays before update on erasure for each row execute function refuse_undo('begun_at');

-- Nothing is added to a person who is erased.
create function refuse_erased() returns trigger language plpgsql as $$
begin
  if exists (select 1 from usager where id = new.usager_id and erased_at is not null for share) then
    raise exception 'this person is erased' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger not_erased before insert on usager_identity for each row execute function refuse_erased();
create trigger not_erased before insert on channel for each row execute function refuse_erased();
create trigger not_erased before insert on remote_consent for each row execute function refuse_erased();
create trigger not_erased before insert on paper_consent for each row execute function refuse_erased();
create trigger not_erased before insert on mandate for each row execute function refuse_erased();

-- Takes what is hers out of the tables, and leaves mandates and sessions that name nobody any more: what others relied on. Two people gave it, no mandate
-- lives, no hold stands: whoever calls it.
create function erase_person(of_erasure text, now timestamptz) returns void language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  person text;
begin
  select usager_id into person from erasure where id = of_erasure and begun_at is null for update;
  if person is null or not exists (select 1 from approval a where a.kind = 'erasure' and a.subject = of_erasure and a.approved_by is not null) then
    raise exception 'no erasure of this id was given by two people' using errcode = 'check_violation';
  end if;
  perform 1 from usager where id = person and erased_at is null for update;
  if not found then
    raise exception 'this person is erased' using errcode = 'check_violation';
  end if;
  if is_held(person) then
    raise exception 'a hold stands: nothing is erased' using errcode = 'check_violation';
  end if;
  if exists (select 1 from mandate where usager_id = person and ended_at is null) then
    raise exception 'a mandate lives: it is stopped first' using errcode = 'check_violation';
  end if;
  update erasure set begun_at = now where id = of_erasure;
  update usager set given_name = '', family_name = 'Personne effacée', preferred_username = null, gender = 'female', birthdate = '', birthplace = '',
    birthcountry = '', email = null, erased_at = now where id = person;
  update mandate_draft set closed_at = now where usager_id = person and closed_at is null;
  delete from web_session where kind = 'usager' and holder_id = person;
  delete from usager_identity where usager_id = person;
  delete from remote_consent where usager_id = person;
  delete from sms_quota where scope = 'person' and holder = person
    or scope = 'number' and holder in (select address from channel where usager_id = person);
  delete from channel where usager_id = person;
  delete from paper_scan where paper_id in (select id from paper_consent where usager_id = person);
  delete from phone_link where draft_id in (select id from mandate_draft where usager_id = person);
  delete from oidc_artefact where grant_id in (select grant_id from delegated_session where usager_id = person);
  update imported_mandate set line_hash = sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
    where draft_id in (select id from mandate_draft where usager_id = person);
  -- Services are still told that it stopped; nobody else is told anything any more.
  update delivery set done_at = coalesce(done_at, now), body_box = null, locked_until = null
    where kind <> 'logout' and mandate_id in (select id from mandate where usager_id = person);
end $$;
revoke all on function erase_person(text, timestamptz) from public;

-- The application seals an attestation again only to leave out the names of whoever was erased.
create function refuse_reseal() returns trigger language plpgsql as $$
begin
  if current_user = 'relais_app' and not exists (select 1 from mandate m join usager u on u.id = m.usager_id where m.id = new.mandate_id and u.erased_at is not null) then
    raise exception 'a seal is never replaced' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger only_erased before update on attestation for each row execute function refuse_reseal();

-- Removes the sealed parts of a month whose keys are destroyed, but for those that are kept with the log. Returns how many.
create function journal.drop_payload(of_month text) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
  create temp table kept on commit drop as select * from journal.payload where month = first and class = 'log';
  execute format('drop table journal.%I', name);
  execute format('create table journal.%I partition of journal.payload for values from (%L) to (%L)', name, first, (first + interval '1 month')::date);
  execute format('insert into journal.%I select * from kept', name);
  perform journal.guard_table(name);
  drop table kept;
  return removed;
end $$;
revoke all on function journal.drop_payload(text) from public;

grant select, insert on erasure, period_erasure, legal_hold to relais_app;
grant update (said) on erasure to relais_app;
grant update (done_at) on period_erasure to relais_app;
grant update (lifted_at) on legal_hold to relais_app;
grant update (key_id, seal, names_box) on attestation to relais_app;
grant execute on function erase_person(text, timestamptz) to relais_app;
grant execute on function journal.drop_payload(text) to relais_eraser;
grant select, update (usager_id, done_at) on erasure to relais_eraser;
grant select on legal_hold, period_erasure, mandate, mandate_draft, paper_consent, remote_consent to relais_eraser;
grant select, delete on channel, paper_scan, phone_link to relais_eraser;
