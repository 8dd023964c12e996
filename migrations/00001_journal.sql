-- Events, and the journal that is their truth.
--
-- In every table: times are milliseconds since the Unix epoch in UTC, as bigint, so that they compare exactly with the
-- journal's (readable: to_timestamp(x / 1000.0)); money is integer minor units; ids are 16 random bytes; keys start with
-- event_id, so that the tables can be distributed by it.

-- +goose Up

create function now_ms() returns bigint
    language sql volatile parallel safe
    return floor(extract(epoch from clock_timestamp()) * 1000)::bigint;

-- What browsing shows. The columns are a moment old: the journal's settings are the truth.
create table event (
    event_id    text   primary key check (event_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name        text   not null check (name <> ''),
    venue       text   not null,
    city        text   not null,
    performers  text[] not null,
    starts_at   bigint not null,
    on_sale_at  bigint check (on_sale_at > 0), -- null: at once
    status      text   not null check (status in ('ON_SALE', 'PAUSED', 'CLOSED', 'CANCELLED')),
    seats_total int    not null check (seats_total > 0),
    currency    text   not null check (currency ~ '^[A-Z]{3}$'),
    settings    jsonb  not null, -- boxoffice.v1.Event in protobuf's JSON: prices, colours and limits beside the above
    search      tsvector not null,
    plan        bytea  not null, -- boxoffice.v1.SeatingPlan; never changes
    plan_hash   bytea  not null check (octet_length(plan_hash) = 32)
);
create index event_by_start on event (starts_at, event_id);
create index event_by_search on event using gin (search);

-- Who may write an event's journal. Every commit updates its row: room is left on the page, and nothing that changes is
-- indexed, so that the updates stay on the page (HOT) and need no vacuum.
create table event_owner (
    event_id text   primary key references event,
    epoch    bigint not null check (epoch >= 0),
    last_seq bigint not null check (last_seq >= 1),
    node_id  text   not null,
    next_due bigint check (next_due > 0) -- null: nothing is due
) with (fillfactor = 10);

-- One row a batch. No foreign key: a row is only ever inserted from under the event_owner row that it follows.
create table journal (
    event_id text   not null,
    seq      bigint not null check (seq >= 1),
    epoch    bigint not null check (epoch >= 0),
    at       bigint not null check (at > 0),
    facts    bytea  not null check (octet_length(facts) > 0),
    answers  bytea  not null,
    primary key (event_id, seq)
);

-- The latest snapshot of each event, folded from journal rows.
create table snapshot (
    event_id text   primary key references event,
    seq      bigint not null check (seq >= 1),
    state    bytea  not null check (octet_length(state) > 0)
);

-- Written in the batch that sells the seats: the last line against a double sale.
create table ticket (
    event_id   text   not null,
    ticket_id  bytea  not null check (octet_length(ticket_id) = 16),
    order_id   bytea  not null check (octet_length(order_id) = 16),
    n          int    not null check (n >= 1), -- place in the order's sequence of seats
    seat_index int    not null check (seat_index >= 0),
    seat_id    text   not null,
    code       text   not null,
    issued_at  bigint not null check (issued_at > 0),
    voided_at  bigint check (voided_at >= issued_at),
    primary key (event_id, ticket_id)
);
create unique index ticket_one_per_seat on ticket (event_id, seat_index) where voided_at is null;
create unique index ticket_by_order on ticket (event_id, order_id, n);
