-- Who is a member of the cluster: a row a process, with a lease in the database's time.
--
-- Every change of who is there takes the membership row first, then members' rows, so that changes come one after the
-- other, each with a view of its own. A renewal takes its own member's row alone, and waits for no change but one that
-- takes that very member out. Every function is one statement to its caller: a client that freezes holds no row.
--
-- They answer in json, which may say more one day to those who ask for it: servers of this version and of the next use
-- them at the same time. An answer is membership_now(), or {"gone": {"by", "why"}} where the caller is no member, or
-- {"changed": true} where its view is an old one.

-- +goose Up

create table membership (
    one  boolean primary key default true check (one), -- there is one row
    view bigint  not null check (view >= 0)            -- rises by one with every change
);
insert into membership (view) values (0);

-- Renewals write a row several times a second: room is left on the page, and nothing that they change is indexed.
create table member (
    member_id   text    primary key check (member_id <> '' and length(member_id) <= 255),
    name        text    not null check (length(name) <= 255),
    address     text    not null check (address <> '' and length(address) <= 512),
    version     text    not null check (length(version) <= 255),
    keys        text[]  not null,
    joined      bigint  not null unique check (joined >= 1), -- the view that it came with
    leaving     boolean not null default false,
    renewals    bigint  not null default 0 check (renewals >= 0),
    lease_until bigint  not null check (lease_until > 0),
    unreachable text[]  not null default '{}', -- ids of members
    -- A member that was taken out is kept for an hour, to be told why.
    gone_at     bigint  check (gone_at > 0),
    gone_by     text,
    gone_why    text,
    constraint member_gone check (num_nulls(gone_at, gone_by, gone_why) in (0, 3))
) with (fillfactor = 10);
create unique index member_by_join on member (joined) where gone_at is null;
create unique index member_by_address on member (address) where gone_at is null; -- one process listens there

-- membership_now is one statement, so that view and rows are as of one instant.
-- +goose StatementBegin
create function membership_now() returns json language sql volatile as $$
    select json_build_object('view', s.view, 'members', coalesce((
        select json_agg(json_build_object(
            'id', m.member_id, 'name', m.name, 'address', m.address, 'version', m.version, 'keys', m.keys,
            'joined', m.joined, 'leaving', m.leaving, 'renewals', m.renewals, 'expired', m.lease_until <= now_ms(),
            'unreachable', m.unreachable) order by m.joined)
        from member m where m.gone_at is null), '[]'))
    from membership s
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function not_member(id text) returns json language sql volatile as $$
    select json_build_object('gone', coalesce((
        select json_build_object('by', m.gone_by, 'why', m.gone_why)
        from member m where m.member_id = id and m.gone_at is not null), '{}'))
$$;
-- +goose StatementEnd

-- take_out is what all who take members out have in common; the caller holds the membership row. It says whether anybody
-- has gone.
-- +goose StatementBegin
create function take_out(ids text[], who text, reason text) returns boolean language plpgsql as $$
begin
    update member m set gone_at = now_ms(), gone_by = who, gone_why = reason
    where m.member_id = any (ids) and m.gone_at is null;
    return found;
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function join_membership(id text, called text, at_address text, of_version text, knows text[], lease bigint)
    returns json language plpgsql as $$
declare
    v bigint;
begin
    select s.view into strict v from membership s for update;
    if exists (select from member m where m.member_id = id) then
        -- The same once more, because the answer was lost.
        update member m set lease_until = now_ms() + lease where m.member_id = id and m.gone_at is null;
        return case when found then membership_now() else not_member(id) end;
    end if;
    delete from member m where m.gone_at < now_ms() - 3600000;
    perform take_out(array(select m.member_id from member m where m.address = at_address and m.gone_at is null),
        called, 'a new process listens on ' || at_address || ': ' || id);
    insert into member (member_id, name, address, version, keys, joined, lease_until)
    values (id, called, at_address, of_version, coalesce(knows, '{}'), v + 1, now_ms() + lease);
    update membership set view = v + 1;
    return membership_now();
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function renew_member(id text, lease bigint, cut_off text[]) returns json language plpgsql as $$
begin
    update member m set renewals = m.renewals + 1, lease_until = now_ms() + lease, unreachable = coalesce(cut_off, '{}')
    where m.member_id = id and m.gone_at is null;
    return case when found then membership_now() else not_member(id) end;
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function leaving_member(id text) returns json language plpgsql as $$
declare
    was boolean;
begin
    perform from membership for update;
    select m.leaving into was from member m where m.member_id = id and m.gone_at is null;
    if not found then
        return not_member(id);
    end if;
    if not was then
        update member m set leaving = true where m.member_id = id;
        update membership set view = view + 1;
    end if;
    return membership_now();
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function leave_membership(id text) returns json language plpgsql as $$
begin
    perform from membership for update;
    if take_out(array[id], coalesce((select m.name from member m where m.member_id = id), ''), 'it left') then
        update membership set view = view + 1;
    end if;
    return membership_now();
end
$$;
-- +goose StatementEnd

-- Who was taken out takes nobody out: of two that take out each other, one succeeds.
-- +goose StatementBegin
create function evict_members(by_id text, by_name text, seen bigint, ids text[], why text) returns json language plpgsql as $$
declare
    v bigint;
begin
    select s.view into strict v from membership s for update;
    if exists (select from member m where m.member_id = by_id and m.gone_at is not null) then
        return not_member(by_id);
    end if;
    if v <> seen then
        return json_build_object('changed', true);
    end if;
    if take_out(ids, by_name, why) then
        update membership set view = v + 1;
    end if;
    return membership_now();
end
$$;
-- +goose StatementEnd

-- has_lease is asked by whoever claims, before it waits for the row that it claims, so that one who is no member gets in
-- nobody's way, and again when it holds that row: each time with what is committed by then. So no claim follows one of a
-- member that came after the claimant was taken out.
-- +goose StatementBegin
create function has_lease(id text) returns boolean language sql volatile as $$
    select exists (select from member m where m.member_id = id and m.gone_at is null and m.lease_until > now_ms())
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function claim_event(id text, claimant text, out standing boolean, out epoch bigint, out last_seq bigint, out at bigint)
    returns setof record language plpgsql as $$
begin
    standing := has_lease(claimant);
    if standing then
        perform from event_owner o where o.event_id = id for update;
        standing := has_lease(claimant);
    end if;
    if not standing then
        return next;
        return;
    end if;
    return query
        update event_owner o set epoch = o.epoch + 1, node_id = claimant
        where o.event_id = id
        returning true, o.epoch, o.last_seq, now_ms();
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function claim_admission(id text, claimant text, out standing boolean, out epoch bigint, out rate double precision)
    returns setof record language plpgsql as $$
begin
    standing := has_lease(claimant);
    if standing then
        perform from admission d where d.event_id = id for update;
        standing := has_lease(claimant);
    end if;
    if not standing then
        return next;
        return;
    end if;
    return query
        update admission d set epoch = d.epoch + 1, node_id = claimant
        where d.event_id = id
        returning true, d.epoch, d.rate;
end
$$;
-- +goose StatementEnd
