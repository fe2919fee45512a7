-- What a service was told last is read by its page, every few seconds while it is followed, however long the history.
create index delivery_told_of on delivery (target, seq desc) where kind in ('logout', 'set');

-- What never changes of a service is what the second person read as well.
create function guard_registered() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from service_revision r where r.service_id = new.id and r.number = new.revision
      and r.registration ->> 'profile' = new.profile and r.registration ->> 'sector' = new.sector
      and r.registration ->> 'administration' = new.administration_id and r.registration ->> 'minimum_consent' = new.minimum_consent) then
    raise exception 'a service is what a second person approved' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger as_registered before update of status on service for each row
  when (current_user = 'relais_app' and new.status = 'approved' and old.status <> 'approved') execute function guard_registered();
