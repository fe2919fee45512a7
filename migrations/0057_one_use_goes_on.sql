-- A mandate for one use opens one session. When its aidant signs in anew for it, the same use goes on in another session, which takes the place of the
-- one that lives: same aidant, structure, person, service and theme, and the same end. Of the sessions of one mandate, one is continued by none.
alter table delegated_session
  add column continued_by text references delegated_session deferrable initially deferred,
  add constraint one_use_goes_on check (continued_by is null or single_use and end_reason = 'superseded');
drop index delegated_session_once;
create unique index delegated_session_once on delegated_session (mandate_id) where single_use and continued_by is null;
grant update (continued_by) on delegated_session to relais_app;

-- Read when the transaction ends: the one that ended and the one that continues it are written together, or neither is.
create function refuse_other_use() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' or old.ended_at is not null or not exists (
      select 1 from delegated_session n
      where n.id = new.continued_by and n.ended_at is null and n.mandate_id = new.mandate_id and n.theme = new.theme and n.aidant_id = new.aidant_id
        and n.organisation_id = new.organisation_id and n.usager_id = new.usager_id and n.service_id = new.service_id
        and n.auth_time > new.auth_time and n.expires_at <= new.expires_at) then
    raise exception 'one use goes on as it was, or not at all' using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger one_use after insert or update of continued_by on delegated_session deferrable initially deferred
  for each row when (new.continued_by is not null) execute function refuse_other_use();

-- Says whether a session of a mandate for one use may go on in another of this theme, aidant, structure and service, who signed in at this instant.
create function goes_on(d delegated_session, of_theme text, aidant text, organisation text, service text, signed_in timestamptz, at timestamptz)
returns boolean language sql immutable as $$
  select coalesce(d.ended_at is null and d.expires_at > at and d.auth_time < signed_in
    and d.theme = of_theme and d.aidant_id = aidant and d.organisation_id = organisation and d.service_id = service, false)
$$;

-- Says whether a mandate for one use has that use left for them: nobody made it, or it goes on.
create function use_left(mandate text, of_theme text, aidant text, organisation text, service text, signed_in timestamptz, at timestamptz)
returns boolean language sql stable as $$
  select not exists (select 1 from delegated_session d where d.mandate_id = mandate and d.single_use and d.continued_by is null
    and not goes_on(d, of_theme, aidant, organisation, service, signed_in, at))
$$;

-- An aidant who signs in anew keeps what is open in that browser: it passes to the browser session that takes the place of the former, and to no other.
grant update (web_session) on delegated_session to relais_app;
create function refuse_other_browser() returns trigger language plpgsql as $$
begin
  if old.ended_at is not null or not exists (
      select 1 from web_session w where w.hash = new.web_session and w.kind = 'staff' and w.ended_at is null
        and w.holder_id = new.aidant_id and w.organisation_id = new.organisation_id) then
    raise exception 'a session stays with its aidant' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger own_browser before update of web_session on delegated_session
  for each row when (new.web_session is distinct from old.web_session) execute function refuse_other_browser();
