-- What is told has an order of its own, and says why: the session of a service that is told that a mandate ended may have ended before, for another reason.
alter table delivery add column seq bigint generated always as identity, add column reason text;
update delivery d set reason = s.end_reason from delegated_session s where s.id = d.session_id;

-- One endpoint's: what waits there, in order; what was tried there, and so whether it answers. One session's: the first before the next.
create index delivery_target on delivery (target, seq) where done_at is null;
create index delivery_tried on delivery (target) where done_at is null and attempts > 0;
create index delivery_session on delivery (session_id, seq) where done_at is null;

-- Whoever delivers is woken by the commit, whichever process wrote: an instance, a command, a job.
create function delivery_waits() returns trigger language plpgsql as $$
begin
  notify relais_delivery;
  return null;
end $$;
create trigger wakes after insert on delivery for each statement execute function delivery_waits();
