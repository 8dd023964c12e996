-- The read model: what the journal says, folded into tables for SQL users and reports. The engine never reads it to
-- decide. It follows the journal by at most about a second; projection says up to where.

-- +goose Up

create table projection (
    event_id      text   primary key references event,
    projected_seq bigint not null check (projected_seq >= 1)
) with (fillfactor = 10);

-- Facts are bytes that only the engine can read, so no view can fold the journal's unprojected tail into the tables
-- below. This one says instead how far behind they are: with lag 0 they are the truth.
create view event_progress as
select o.event_id, o.last_seq, p.projected_seq, o.last_seq - p.projected_seq as lag
from event_owner o
join projection p using (event_id);

-- Rows exist from the event's creation on, all A.
create table seat (
    event_id   text not null,
    seat_index int  not null check (seat_index >= 0),
    seat_id    text not null check (seat_id <> ''),
    state      text not null check (state in ('A', 'H', 'S', 'B')), -- available, held, sold, blocked
    order_id   bytea check (octet_length(order_id) = 16),
    primary key (event_id, seat_index),
    unique (event_id, seat_id),
    constraint seat_taken_by_an_order check ((state in ('H', 'S')) = (order_id is not null))
) with (fillfactor = 70);

create table orders (
    event_id        text   not null,
    order_id        bytea  not null check (octet_length(order_id) = 16),
    session_id      bytea  not null check (octet_length(session_id) = 16),
    status          text   not null check (status in ('PENDING', 'RESERVED', 'AUTHORIZING', 'AUTHORIZED', 'CAPTURING',
                                                      'COMPLETED', 'EXPIRED', 'CANCELLED', 'PAYMENT_FAILED')),
    seats           int[]  not null, -- by seat_index, in the buyer's sequence
    amount          bigint not null check (amount >= 0),
    hold_expires_at bigint,
    created_at      bigint not null,
    ended_at        bigint,
    primary key (event_id, order_id)
) with (fillfactor = 70);

-- One row an authorization; attempt counts an order's.
create table payment (
    event_id text   not null,
    order_id bytea  not null check (octet_length(order_id) = 16),
    attempt  int    not null check (attempt >= 1),
    status   text   not null check (status in ('AUTHORIZING', 'AUTHORIZED', 'DECLINED', 'CAPTURING', 'CAPTURED',
                                               'VOIDING', 'VOIDED')),
    amount   bigint not null check (amount >= 0),
    code     text   not null, -- why it was DECLINED, or its capture refused
    primary key (event_id, order_id, attempt)
) with (fillfactor = 70);
