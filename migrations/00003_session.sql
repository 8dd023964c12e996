-- Buyers' sessions and the places they took.

-- +goose Up

-- One row an event: the counter of places.
create table admission (
    event_id   text   primary key references event,
    last_place bigint not null check (last_place >= 0)
) with (fillfactor = 10);

create table session (
    event_id     text   not null,
    session_id   bytea  not null check (octet_length(session_id) = 16),
    place        bigint not null check (place >= 1), -- dense: 1 … admission.last_place
    -- ACTIVE past active_until is read as EXPIRED: see session_now.
    status       text   not null check (status in ('WAITING', 'ACTIVE', 'COMPLETED', 'EXPIRED', 'LEFT')),
    active_until bigint check (active_until > 0),
    joined_at    bigint not null check (joined_at > 0),
    completed    int    not null default 0 check (completed >= 0), -- orders; from the journal
    join_key     bytea  check (octet_length(join_key) = 16),
    join_body    bytea  check (octet_length(join_body) = 16),
    primary key (event_id, session_id),
    unique (event_id, place),
    constraint session_active_until check (status <> 'ACTIVE' or active_until is not null),
    constraint session_join_body check ((join_key is null) = (join_body is null))
) with (fillfactor = 70);
create unique index session_by_join_key on session (event_id, join_key) where join_key is not null;

-- Sessions as of now: what is read.
create view session_now as
select event_id, session_id, place,
    case when status = 'ACTIVE' and active_until <= now_ms() then 'EXPIRED' else status end as status,
    active_until, joined_at, completed, join_key, join_body
from session;
