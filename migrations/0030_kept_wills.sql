-- What records a will, or the end of one, is written once: whatever the code does, as the application's role nothing of it is taken back.
create function refuse_undo() returns trigger language plpgsql as $$
begin
  if to_jsonb(old) ->> tg_argv[0] is not null and to_jsonb(new) ->> tg_argv[0] is distinct from to_jsonb(old) ->> tg_argv[0] then
    raise exception '% of % cannot be taken back', tg_argv[0], tg_table_name using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger stays before update on mandate for each row execute function refuse_undo('ended_by');
create trigger stays before update on passkey for each row execute function refuse_undo('revoked_at');
create trigger stays before update on passkey_challenge for each row execute function refuse_undo('used_at');
create trigger stays before update on recovery_code for each row execute function refuse_undo('used_at');
create trigger stays before update on loss_link for each row execute function refuse_undo('used_at');
-- A death that follows a guardianship is noted; nothing follows a death.
create trigger stays before update on usager for each row
  when (old.protection is not null and (old.protection = 'death' or new.protection is null)) execute function refuse_undo('protection');

-- A draft that was signed, refused or stopped is over: nothing in it is agreed to any more.
create function refuse_reopening() returns trigger language plpgsql as $$
begin
  if new is distinct from old then
    raise exception 'this draft is closed: it cannot be changed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger closed_for_ever before update on mandate_draft for each row when (old.closed_at is not null) execute function refuse_reopening();

-- A question is asked before it is answered, and a link is opened after it was made.
create function refuse_made_answered() returns trigger language plpgsql as $$
begin
  if new.state not in ('asked', 'open') then
    raise exception '% begins without an answer', tg_table_name using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger asked_first before insert on remote_consent for each row execute function refuse_made_answered();
create trigger asked_first before insert on phone_link for each row execute function refuse_made_answered();

-- A mandate holds the will that its draft recorded, as strong as it was and no stronger, while nobody has closed the draft. Its name puts it after the
-- other guards of an insertion.
create function refuse_other_will() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from mandate_draft d where d.id = new.draft_id and d.closed_at is null and d.organisation_id = new.organisation_id
      and d.usager_id = new.usager_id and d.consent_method = new.consent_method and d.consent_acr = new.consent_acr
      and d.consent_evidence = new.consent_evidence and d.consented_at = new.consented_at and d.text_hash = new.text_hash) then
    raise exception 'no such will is recorded' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger z_own_will before insert on mandate for each row execute function refuse_other_will();

-- A session is held to what its mandate is held to.
create function refuse_wider_session() returns trigger language plpgsql as $$
declare
  held record;
begin
  select m.demarches, m.read_only, m.single_use into held from mandate m where m.id = new.mandate_id;
  if held.single_use and not new.single_use
    or (held.demarches is not null or held.read_only) and new.demarches is null
    or held.demarches is not null and exists (select unnest(new.demarches) except select d ->> 'code' from jsonb_array_elements(held.demarches) d)
    or held.read_only and exists (select 1 from demarche e where e.service_id = new.service_id and e.code = any (new.demarches) and e.effect <> 'read') then
    raise exception 'a session holds no more than its mandate' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger never_wider before insert on delegated_session for each row execute function refuse_wider_session();

create index mandate_draft_waiting on mandate_draft (usager_id) where closed_at is null;
create index paper_consent_usager on paper_consent (usager_id) where ended_at is null;
