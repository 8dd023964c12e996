-- What those read who watch a hall and who browse.

-- +goose Up

-- boxoffice.v1.SeatsMoved: what the entry has made of seats; null: it moved none. It says nothing that the facts do not
-- say, but to somebody who does not hold the event's state: a node that shows a hall, and has missed something.
alter table journal add column moved bytea check (octet_length(moved) > 0);
create index journal_moved on journal (event_id, seq) where moved is not null;

-- Entries after this one say what they moved; those from before this migration do not.
alter table event_owner add column moved_after bigint not null default 1 check (moved_after >= 1);
update event_owner set moved_after = last_seq;

-- How the event sells, as of projected_seq. Of events that are there already the price is that of the cheapest category,
-- which may be sold out, until a seat moves.
alter table projection
    add column seats_available int not null default 0 check (seats_available >= 0),
    add column seats_held      int not null default 0 check (seats_held >= 0),
    add column price_from      bigint not null default 0 check (price_from >= 0); -- of seats that are available; 0: none is
update projection p
set seats_available = s.available, seats_held = s.held,
    price_from = case when s.available = 0 then 0 else coalesce((
        select min(coalesce((c ->> 'price')::bigint, 0)) from event e, jsonb_array_elements(e.settings -> 'categories') c
        where e.event_id = p.event_id), 0) end
from (
    select event_id, count(*) filter (where state = 'A') as available, count(*) filter (where state = 'H') as held
    from seat group by event_id) s
where s.event_id = p.event_id;

-- Search. The words in event.search have no case and no accents from here on: those that are there already lose theirs as
-- far as Postgres' own means go (Latin accents and ß; letters' case as far as the database's locale knows it), and are
-- written anew when the event's settings change.
-- +goose StatementBegin
create function pg_temp.folded(t text) returns text language sql immutable as $$
    select translate(replace(replace(replace(replace(
        lower(regexp_replace(normalize(t, nfkd), E'[\u0300-\u036f]', '', 'g')),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'), 'øłđðħıŧØŁĐĦŦ', 'olddhitoldht')
$$;
-- +goose StatementEnd
update event set search = to_tsvector('simple', regexp_replace(
    pg_temp.folded(name || ' ' || venue || ' ' || city || ' ' || array_to_string(performers, ' ')), '[[:punct:]]', ' ', 'g'));

create index event_by_status on event (status, starts_at, event_id);

-- pg_trgm finds words that are similar: it comes with Postgres (Debian: in the server's own package, elsewhere often in
-- postgresql-contrib), and whoever may create things in a database may have it there.
-- +goose StatementBegin
do $$
begin
    create extension if not exists pg_trgm;
exception when undefined_file or feature_not_supported or insufficient_privilege then
    raise exception 'the search needs the extension pg_trgm, which cannot be created (%): install Postgres'' contrib modules on its server, often the package postgresql-contrib, and run "create extension pg_trgm" in this database as its owner or as a superuser; then start again', sqlerrm;
end
$$;
-- +goose StatementEnd

-- The words of all events, to find what a misspelled one means. One that no event has any more stays, and finds nothing.
create table event_word (
    word text primary key
);
create index event_word_by_similarity on event_word using gin (word gin_trgm_ops);
insert into event_word (word)
select distinct w from event, unnest(tsvector_to_array(search)) w where length(w) >= 3 and w !~ '[0-9]';
