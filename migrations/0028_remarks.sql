-- What was said of an act or of a session: the person did not agree, or the aidant says it was an error. Once each, and nobody takes it back (claim J15).
create table remark (
  about uuid not null,
  kind text not null check (kind in ('contest', 'error')),
  session_id text not null references delegated_session,
  said_by text not null,
  said_at timestamptz not null,
  event_id uuid not null unique,
  primary key (about, kind)
);

-- Only she for whom it was done contests it, and only whoever did it says that it was an error.
create function refuse_foreign_remark() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from delegated_session d
    where d.id = new.session_id and new.said_by = case new.kind when 'contest' then d.usager_id else d.aidant_id end
      and (d.opened_event = new.about or exists (select 1 from action a where a.session_id = d.id and a.event_id = new.about))) then
    raise exception 'whoever speaks of an act is the person or the aidant whom it names' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger own_remark before insert on remark for each row execute function refuse_foreign_remark();

create function refuse_remark_change() returns trigger language plpgsql as $$
begin raise exception 'remark is append-only: % refused', tg_op using errcode = 'insufficient_privilege'; end $$;
create trigger append_only before update or delete on remark for each row execute function refuse_remark_change();
create trigger append_only_truncate before truncate on remark for each statement execute function refuse_remark_change();

grant select, insert on remark to relais_app;
