-- Who ended a mandate, or one theme of it, or barred it at one administration, is said with the notice: the person, or somebody else.
alter table delivery add column by_other boolean not null default false;
grant insert (by_other) on delivery to relais_app;
update delivery d set by_other = true from mandate m where m.id = d.mandate_id and d.stream_id is not null and d.done_at is null
  and d.created_at = m.ended_at and m.ended_by not like 'usager%';
