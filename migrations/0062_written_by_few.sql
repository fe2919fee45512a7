-- What the application's role may write of keys, notices, streams and revisions is what it needs, and no more.

-- When a key was published, put in force or revoked is the database's to say, whatever is written. Who decided names the entry that says so.
alter table signing_key add column promoted_event uuid unique, add column revoked_event uuid unique;
revoke insert, update on signing_key from relais_app;
grant insert (kid, alg, published_at) on signing_key to relais_app;
grant update (promoted_at, promoted_event, revoked_at, revoked_event) on signing_key to relais_app;
create function date_signing_key() returns trigger language plpgsql as $$
begin
  if current_user <> 'relais_app' then
    return new;
  end if;
  if tg_op = 'INSERT' then
    new.published_at := clock_timestamp();
    return new;
  end if;
  if new.promoted_at is null and old.promoted_at is not null then
    raise exception 'a signing key was in force: that is not taken back' using errcode = 'check_violation';
  end if;
  if new.promoted_at is distinct from old.promoted_at and new.promoted_event is not distinct from old.promoted_event
    or new.revoked_at is distinct from old.revoked_at and new.revoked_event is null then
    raise exception 'who decides of a signing key says so in the journal' using errcode = 'check_violation';
  end if;
  if new.promoted_at is distinct from old.promoted_at then
    new.promoted_at := greatest(clock_timestamp(), new.published_at);
  end if;
  if new.revoked_at is distinct from old.revoked_at and new.revoked_at is not null then
    new.revoked_at := clock_timestamp();
  end if;
  return new;
end $$;
create trigger dated before insert or update on signing_key for each row execute function date_signing_key();

create or replace view happened (kind, at, reference, event, types, usager, mandate, session) as
  select 'mandate.consented', consented_at, id, consented_event, array['mandate.consented', 'mandate.imported'], usager_id, null::text, null::text
    from mandate_draft where consented_at is not null
  union all select 'mandate.created', accepted_at, reference, created_event, array['mandate.created', 'mandate.imported'], usager_id, id, null from mandate
  union all select 'mandate.ended', g.ended_at, m.reference, g.ended_event, array['mandate.revoked', 'mandate.renounced', 'mandate.replaced', 'mandate.ended'],
      g.usager_id, g.mandate_id, null from mandate_grant g join mandate m on m.id = g.mandate_id where g.ended_at is not null
  union all select 'session.opened', opened_at, id, opened_event, array['session.opened'], usager_id, mandate_id, id from delegated_session
  union all select 'session.ended', ended_at, id, ended_event, array['session.ended'], usager_id, mandate_id, id from delegated_session where ended_at is not null
  union all select 'erasure.executed', done_at, id, executed_event, array['erasure.executed'], null, null, null from erasure where done_at is not null
  union all select 'erasure.executed', done_at, class || ' ' || month, executed_event, array['erasure.executed'], null, null, null from period_erasure where done_at is not null
  union all select 'signing-key.promoted', promoted_at, kid, promoted_event, array['signing-key.promoted'], null, null, null from signing_key
    where promoted_at > (select applied_at from migration where name = '0062_written_by_few.sql')
  union all select 'signing-key.revoked', revoked_at, kid, revoked_event, array['signing-key.revoked'], null, null, null from signing_key
    where revoked_at > (select applied_at from migration where name = '0062_written_by_few.sql');

-- A notice is written as it waits. What became of it is written once, and its text is only ever taken away.
revoke insert, update on delivery from relais_app;
grant insert (id, kind, target, session_id, mandate_id, reason, stream_id, event, body_box, created_at, next_at) on delivery to relais_app;
grant update (attempts, next_at, locked_until, done_at, acknowledged_at, last_error, body_box) on delivery to relais_app;
create function guard_delivery() returns trigger language plpgsql as $$
begin
  if old.done_at is not null and (new.done_at, new.acknowledged_at) is distinct from (old.done_at, old.acknowledged_at)
    or new.done_at is null and new.acknowledged_at is not null
    or new.attempts < old.attempts
    or new.body_box is not null and new.body_box is distinct from old.body_box then
    raise exception 'a notice is not changed, nor sent again once it is done' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger done_once before update on delivery for each row execute function guard_delivery();

-- A stream stays its service's; whom it leaves out is added or taken away.
revoke update on stream, stream_excluded from relais_app;
grant update (method, endpoint, authorization_box, requested, events, description, status, status_reason, updated_at) on stream to relais_app;

-- An approval puts one revision into force: that of a former one is not used again for another.
create unique index service_revision_approval on service_revision (approval_id);
