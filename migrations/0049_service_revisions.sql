-- A change of a service stands beside what is in force, and takes its place when a second person approves it: what waits stops nothing that runs.
create table service_revision (
  service_id text not null references service,
  number int not null check (number > 0),
  registration jsonb not null,
  state text not null check (state in ('waiting', 'approved', 'replaced', 'withdrawn')),
  asked_by text not null,
  asked_at timestamptz not null,
  decided_at timestamptz,
  approval_id text references approval,
  primary key (service_id, number),
  check ((state = 'waiting') = (decided_at is null))
);
create unique index service_revision_waiting on service_revision (service_id) where state = 'waiting';
grant select on service_revision to relais_app;
grant insert (service_id, number, registration, state, asked_by, asked_at, approval_id) on service_revision to relais_app;
grant update (state, decided_at) on service_revision to relais_app;

-- The revision in force; none until the first is approved.
alter table service add column revision int;
grant update (revision) on service to relais_app;

-- A démarche asks for a level of sign-in and, where it must, for a fresh one (seconds). One that left the catalogue stays readable.
alter table demarche
  add column level text not null default 'eidas1' check (level in ('eidas1', 'eidas2')),
  add column max_age int check (max_age between 60 and 86400),
  add column until timestamptz;

-- What was registered before there were revisions is the first of each service.
insert into service_revision (service_id, number, registration, state, asked_by, asked_at, decided_at, approval_id)
select s.id, 1,
  jsonb_build_object('id', s.id, 'name', s.name, 'administration', s.administration_id, 'profile', s.profile, 'sector', s.sector, 'themes', to_jsonb(s.themes),
    'delegation_supported', s.delegation_supported, 'minimum_consent', s.minimum_consent, 'metadata', s.metadata,
    'demarches', coalesce((select jsonb_agg(jsonb_build_object('code', d.code, 'label_fr', d.label_fr, 'label_en', d.label_en, 'themes', to_jsonb(d.themes),
      'effect', d.effect) order by d.code) from demarche d where d.service_id = s.id), '[]'::jsonb)),
  case when s.status = 'pending' then 'waiting' else 'approved' end,
  coalesce(a.asked_by, 'cli'), coalesce(a.asked_at, s.created_at),
  case when s.status <> 'pending' then coalesce(a.approved_at, s.created_at) end,
  a.id
from service s
left join lateral (
  select id, asked_by, asked_at, approved_at from approval
  where kind = 'service' and subject = s.id and (s.status = 'pending' or approved_by is not null) order by asked_at desc, id desc limit 1) a on true;
update service set revision = 1 where status <> 'pending';

-- A revision is asked first, decided once, and approved by the second person's approval of this service.
create function guard_revision() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.state <> 'waiting' then
      raise exception 'a revision is asked before it is decided' using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if old.state <> 'waiting' then
    raise exception 'this revision was decided: it cannot be changed' using errcode = 'check_violation';
  end if;
  if new.state = 'approved' and not exists (select 1 from approval a
      where a.id = new.approval_id and a.kind = 'service' and a.subject = new.service_id and a.approved_by is not null) then
    raise exception 'nobody else has approved this revision' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger decided_once before insert or update on service_revision for each row execute function guard_revision();

-- What a service is and what it may do come from its newest approved revision, and a service enters into force with one that it did not have.
create function guard_service() returns trigger language plpgsql as $$
begin
  if current_user <> 'relais_app' then
    return new;
  end if;
  if tg_op = 'INSERT' then
    if new.status <> 'pending' then
      raise exception 'a service is registered before it is approved' using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if new.status = 'approved' and old.status <> 'approved' and new.revision is not distinct from old.revision
    or (new.name, new.themes, new.metadata, new.delegation_supported, new.revision)
      is distinct from (old.name, old.themes, old.metadata, old.delegation_supported, old.revision)
    and not exists (select 1 from service_revision r where r.service_id = new.id and r.number = new.revision and r.state = 'approved'
      and r.registration ->> 'name' = new.name and r.registration -> 'metadata' = new.metadata and r.registration -> 'themes' = to_jsonb(new.themes)
      and (r.registration ->> 'delegation_supported')::boolean = new.delegation_supported
      and not exists (select 1 from service_revision later where later.service_id = new.id and later.state = 'approved' and later.number > new.revision)) then
    raise exception 'a service is what a second person approved' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger as_approved before insert or update on service for each row execute function guard_service();

-- A code has one meaning for ever: mandates name it, entries name it. It enters with its effect, may leave, and never comes back.
revoke delete on demarche from relais_app;
grant update (label_fr, label_en, themes, level, max_age, until) on demarche to relais_app;
create trigger never_back before update on demarche for each row execute function refuse_undo('until');
create function guard_demarche() returns trigger language plpgsql as $$
begin
  if current_user = 'relais_app' and not exists (select 1 from service_revision r where r.service_id = new.service_id and r.state = 'approved'
      and r.registration -> 'demarches' @> jsonb_build_array(jsonb_build_object('code', new.code, 'effect', new.effect))) then
    raise exception 'a démarche is what a second person approved' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger as_approved before insert on demarche for each row execute function guard_demarche();

-- A session opens at a service in force, for a theme that it has, as high as its démarches ask. An opening that read what stood before is told to read
-- again, as under a grant that has ended; the lock makes whoever changes the service wait, and find the session.
create function require_live_service() returns trigger language plpgsql as $$
begin
  perform 1 from service s where s.id = new.service_id and s.status = 'approved' and s.delegation_supported and new.theme = any (s.themes) for share;
  if not found or new.acr <> 'eidas2' and exists (select 1 from demarche e where e.service_id = new.service_id and new.theme = any (e.themes)
      and e.until is null and e.level = 'eidas2' and (new.demarches is null or e.code = any (new.demarches))) then
    raise exception 'the service has changed' using errcode = 'serialization_failure';
  end if;
  return new;
end $$;
create trigger live_service before insert on delegated_session for each row when (current_user = 'relais_app') execute function require_live_service();
