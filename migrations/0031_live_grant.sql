-- A session opens under a grant that lives. An opening that waited for the end of one theme has read what stood before: it is told to read again,
-- as after any serialization failure, and is then refused with its reason. The lock makes an end that comes later wait, and find the session.
create function require_live_grant() returns trigger language plpgsql as $$
begin
  perform 1 from mandate_grant g where g.mandate_id = new.mandate_id and g.theme = new.theme and g.ended_at is null for share;
  if not found then
    raise exception 'the grant has ended' using errcode = 'serialization_failure';
  end if;
  return new;
end $$;
create trigger live_grant before insert on delegated_session for each row execute function require_live_grant();
