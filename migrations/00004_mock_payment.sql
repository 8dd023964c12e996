-- The mock payment provider's own ledger: append-only. It stands for a system elsewhere, so unlike all else it is keyed
-- as that system would key it, by the authorization, and nothing here refers to it.

-- +goose Up

create table mock_payment (
    authorize_key text   not null check (authorize_key <> ''),
    n             int    not null check (n >= 1), -- counts an authorization's operations
    key           text   not null unique check (key <> ''),
    kind          text   not null check (kind in ('authorize', 'capture', 'void', 'refund')),
    declined      text   not null, -- the decline code; empty: it succeeded
    event_id      text   not null, -- the merchant's reference
    token         text   not null,
    reference     text   not null,
    currency      text   not null,
    amount        bigint not null check (amount >= 0),
    at            bigint not null check (at > 0),
    primary key (authorize_key, n)
);
create index mock_payment_by_event on mock_payment (event_id);
