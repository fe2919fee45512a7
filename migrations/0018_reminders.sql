-- A mandate that ends soon is told once, by whichever instance comes first. The row stands or falls with the messages that it queues.
create table mandate_reminder (
  mandate_id text primary key references mandate,
  at timestamptz not null,
  delivery_id text references delivery
);
grant select, insert, update (delivery_id) on mandate_reminder to relais_app;

-- What has ended meanwhile is not announced any more.
create function forget_reminder() returns trigger language plpgsql as $$
begin
  update delivery d set done_at = new.ended_at, body_box = null, last_error = 'ended'
    from mandate_reminder r where r.mandate_id = new.id and d.id = r.delivery_id and d.done_at is null;
  return new;
end $$;
create trigger no_late_reminder after update of ended_at on mandate for each row
  when (old.ended_at is null and new.ended_at is not null) execute function forget_reminder();
