-- What an opérateur asked of a service is replaced by what an opérateur asks. Whoever else asks waits until it is approved or taken back: under their
-- name, that opérateur could approve what is their own.
create function guard_asker() returns trigger language plpgsql as $$
begin
  if new.asked_by not like 'opr\_%' and exists (select 1 from service_revision former where former.service_id = new.service_id
      and former.number = new.number - 1 and former.state = 'replaced' and former.asked_by like 'opr\_%') then
    raise exception 'what an opérateur asked waits: it is approved or taken back first' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger asked_after_an_operateur before insert on service_revision for each row execute function guard_asker();
