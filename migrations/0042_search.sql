-- Time never goes back in the journal: in the order of time then index is in the order of the index alone. So one index a party gives its newest
-- entries, those of a period, and the page that follows, without a sort. What an administration filters by stands in its index, which answers alone.
drop index journal.projection_usager;
drop index journal.projection_administration;
drop index journal.projection_organisation;
drop index journal.projection_aidant;
create index projection_usager on journal.projection (usager, at desc, idx desc) include (type) where usager is not null;
create index projection_administration on journal.projection (administration, at desc, idx desc) include (type, service, theme, demarche, outcome)
  where administration is not null;
create index projection_organisation on journal.projection (organisation, at desc, idx desc) where organisation is not null;
create index projection_aidant on journal.projection (aidant, at desc, idx desc) where aidant is not null;
-- What was refused is rare and looked for: among millions of accepted acts, a page of refusals would read them all.
create index projection_refused on journal.projection (administration, at desc, idx desc) include (type, service, theme, demarche, outcome)
  where administration is not null and outcome = 'refused';
