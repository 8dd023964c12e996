-- The waiting room: who is next is the lowest WAITING place, and how many may come in is counted from the sessions, both
-- under the event's admission row. Nothing that anybody remembers, and nothing in Redis, has a say in it.
--
-- Every function below is one statement to its caller: a client that freezes holds no row, and each statement in it sees
-- what was committed before it. They find rows by an index and take the first in its order; the callers' connections have
-- sequential and bitmap scans off, so that no planner without statistics prefers to read all who wait.

-- +goose Up

alter table admission
    add column head     bigint not null default 0, -- nobody at or below this place waits; never falls
    add column epoch    bigint not null default 0 check (epoch >= 0), -- of who admits
    add column node_id  text   not null default '',
    add column rate     double precision not null default 0 check (rate >= 0), -- places a second that head moves, of late
    add column next_due bigint check (next_due > 0), -- who is not awake by then must be woken to admit; null: nobody waits
    add constraint admission_head check (head between 0 and last_place);
update admission set head = last_place;

-- A session was ACTIVE from admitted_at until ended_at, or until ends_at where that has not been written yet. No check
-- compares a time with an earlier one: the server's clock may step back, and buyers must get in all the same.
alter table session
    add column admitted_at  bigint,
    -- When an ACTIVE session ends: active_until, or before that when its buyer has not shown up.
    add column ends_at      bigint check (ends_at <= active_until),
    add column ended_at     bigint,
    add column client       bytea  check (octet_length(client) = 16), -- stands for the buyer's address; null: not counted
    -- The join's answer, for its repetitions, so only beside a key: the line as it was then, null where it showed no
    -- position, or the time that it was admitted until.
    add column join_head    bigint,
    add column join_rate    double precision,
    add column join_active_until bigint;
update session set admitted_at = joined_at, ends_at = active_until, join_active_until = active_until
where active_until is not null;
alter table session add constraint session_ends_at check (status <> 'ACTIVE' or ends_at is not null and admitted_at is not null);

create index session_active on session (event_id, ends_at) where status = 'ACTIVE';
create index session_admitted on session (event_id, admitted_at) where admitted_at is not null;
create index session_by_client on session (event_id, client) where client is not null and status in ('WAITING', 'ACTIVE');

drop view session_now;
create view session_now as
select event_id, session_id, place,
    case when status = 'ACTIVE' and ends_at <= now_ms() then 'EXPIRED' else status end as status,
    active_until, joined_at, admitted_at, ends_at, ended_at, completed, join_key, join_body
from session;

-- admission_room says how many sessions of the event may become ACTIVE now (room), and for how long (ttl, ms). The caller
-- holds the event's admission row, so that nobody else admits meanwhile; sessions may end meanwhile, which only makes room.
-- pace is how many of them to let in at once, so that the line moves smoothly. due is when to look again.
--
--  1. At most activeLimit sessions are ACTIVE at any instant: whose time is over is ended here first, by his row, so that
--     a buyer who shows up in that moment either is counted or comes too late. A row that somebody else has is counted.
--  2. At most admitPerSecond are admitted in any second: began is before the admission's time, so that the second that is
--     counted holds the one that matters. Who was admitted later than began was so by a clock that has stepped back since:
--     he is not counted, for the line would stand until the clock is there again.
-- +goose StatementBegin
create function admission_room(id text, out room int, out ttl bigint, out pace int, out due bigint, out on_sale boolean, out over boolean)
    language plpgsql as $$
declare
    began      bigint := now_ms();
    e          record;
    active     bigint;
    admitted   bigint;
begin
    select status, coalesce(on_sale_at, 0) as on_sale_at,
        coalesce((settings -> 'waitingRoom' ->> 'enabled')::boolean, false) as enabled,
        coalesce((settings -> 'waitingRoom' ->> 'activeLimit')::bigint, 0) as active_limit,
        coalesce((settings -> 'waitingRoom' ->> 'admitPerSecond')::bigint, 0) as per_second,
        coalesce((settings -> 'waitingRoom' ->> 'activeTtlSeconds')::bigint, 0) as ttl_seconds
    into strict e
    from event where event_id = id;
    ttl := 1000 * case when e.ttl_seconds > 0 then e.ttl_seconds else 600 end;
    on_sale := e.on_sale_at <= began;
    over := e.status = 'CANCELLED'; -- what is closed may be opened again
    due := began + 1000;
    room := 0;
    pace := 1000;
    -- Nobody is waited for: a transaction that has stalled on one buyer's row must not hold up the line.
    update session set status = 'EXPIRED', ended_at = ends_at
    where ctid = any (array(
        select s.ctid from session s where s.event_id = id and s.status = 'ACTIVE' and s.ends_at <= began
        order by s.ends_at limit 1000 for update skip locked));
    if not e.enabled then
        room := 2147483647;
        return;
    end if;
    if e.status <> 'ON_SALE' or not on_sale then
        -- Whoever changes the settings wakes the line: the hour is only a net.
        due := case when on_sale then began + 3600000 else e.on_sale_at end;
        return;
    end if;
    select count(*) into active from session where event_id = id and status = 'ACTIVE';
    select count(*) into admitted from session
    where event_id = id and admitted_at >= began - 1000 and admitted_at <= began;
    room := greatest(0, least(e.active_limit - active, e.per_second - admitted, 2147483647));
    pace := least(1000, greatest(1, (e.per_second + 7) / 8)); -- a step each 100 ms; a little more than a tenth, for steps take time
    if active >= e.active_limit then
        -- A row that is over and that somebody else has is looked at again, but not in a hurry.
        select least(due, greatest(s.ends_at, began + 100)) into due from session s
        where s.event_id = id and s.status = 'ACTIVE' order by s.ends_at limit 1;
    elsif room = 0 then
        select least(due, s.admitted_at + 1001) into due from session s
        where s.event_id = id and s.admitted_at >= began - 1000 order by s.admitted_at limit 1;
    end if;
    due := coalesce(due, began + 1000);
end
$$;
-- +goose StatementEnd

-- admit lets in whoever is next, as far as there is room, for the admission of epoch mine; where another has claimed the
-- event since, standing is false and nothing is done. Measured is kept as the line's rate.
-- +goose StatementBegin
create function admit(
    id text, mine bigint, measured double precision,
    out standing boolean, out at bigint, out admitted int, out head bigint, out on_sale boolean, out waits boolean, out due bigint
) language plpgsql as $$
declare
    a     record;
    r     record;
    last  bigint; -- the last place that this lets in
    first bigint; -- the first place that waits after that
begin
    select d.head, d.last_place into a from admission d where d.event_id = id and d.epoch = mine for update;
    standing := found;
    if not standing then
        return;
    end if;
    r := admission_room(id);
    if r.over or r.room > 0 then
        -- Their rows are taken first, in the line's order: who leaves at this moment has left before those behind him come
        -- in. Nobody comes to wait at these places any more, so that up to the last they are those that were found.
        select max(n.place) into last from (
            select s.place from session s
            where s.event_id = id and s.place > a.head and s.status = 'WAITING'
            order by s.place limit case when r.over then 1000 else least(r.room, r.pace) end for update) n;
    end if;
    at := now_ms();
    admitted := 0;
    if r.over then -- nobody will ever be let in
        update session s set status = 'EXPIRED', ended_at = at
        where s.event_id = id and s.place > a.head and s.place <= last and s.status = 'WAITING';
    elsif last is not null then
        update session s set status = 'ACTIVE', admitted_at = at, active_until = at + r.ttl, ends_at = at + least(r.ttl, 60000)
        where s.event_id = id and s.place > a.head and s.place <= last and s.status = 'WAITING';
        get diagnostics admitted = row_count;
    end if;
    select s.place into first from session s
    where s.event_id = id and s.place > coalesce(last, a.head) and s.status = 'WAITING' order by s.place limit 1;
    waits := first is not null;
    head := coalesce(first - 1, a.last_place);
    on_sale := r.on_sale;
    if waits then
        due := case
            when r.over then at
            when admitted > 0 then at + 100
            else r.due end;
    end if;
    -- Whoever is awake comes again at due: who looks for sleepers gives him two seconds more. For what is further away
    -- than ten seconds nobody stays awake, and somebody is woken three before.
    update admission d set head = admit.head, rate = measured,
        next_due = case when due - at > 10000 then due - 3000 else due + 2000 end
    where d.event_id = id;
end
$$;
-- +goose StatementEnd

-- join_event makes sessions of the event: the n-th of them with the n-th 16 bytes of ids, keys, bodies and clients (16
-- zeros, or null for all: none), and client_max[n] sessions of the client at most. A rush comes through here: whatever is
-- done for each of them is done once for all.
--
-- It says how they fared, and the caller knows the rest: those in found have a session under their key already, at
-- found_places; those in refused are too many of their client; the others take the places from first on, and the
-- leading admitted of them are ACTIVE until until. The line is at line_head, null before the event is on sale. For an
-- event that does not exist, everything is null.
-- +goose StatementBegin
create function join_event(
    id text, ids bytea, keys bytea, bodies bytea, clients bytea, client_max int[],
    out first bigint, out at bigint, out line_head bigint, out line_rate double precision, out admitted int, out until bigint,
    out found_n int[], out found_places bigint[], out refused int[]
) language plpgsql as $$
declare
    none    constant bytea := '\x00000000000000000000000000000000';
    a       record;
    r       record;
    fresh   int := length(ids) / 16;
    waits   boolean := false;
    is_sold boolean;
begin
    select d.head, d.last_place, d.rate, d.next_due into a from admission d where d.event_id = id for update;
    if not found then
        return;
    end if;
    first := a.last_place + 1;
    admitted := 0;
    -- From here on nobody else uses the same keys.
    if keys is not null then
        select array_agg(k.n order by k.n), array_agg(s.place order by k.n) into found_n, found_places
        from (select n, nullif(substr(keys, 16 * n - 15, 16), none) as key from generate_series(1, fresh) n offset 0) k
        cross join lateral (
            select f.place from session f where f.event_id = id and f.join_key = k.key offset 0) s;
    end if;
    found_n := coalesce(found_n, '{}');
    refused := '{}';
    at := now_ms();
    if clients is not null then
        select coalesce(array_agg(c.n order by c.n), '{}') into refused
        from (
            select b.n, b.nth + max(b.held) over (partition by b.client) as held
            from (
                select m.*, case when m.nth = 1 then (
                    select count(*) from session s
                    where s.event_id = id and s.client = m.client and s.status in ('WAITING', 'ACTIVE')
                        and (s.status = 'WAITING' or s.ends_at > at)) end as held
                from (
                    select n, substr(clients, 16 * n - 15, 16) as client,
                        row_number() over (partition by substr(clients, 16 * n - 15, 16) order by n) as nth
                    from generate_series(1, fresh) n
                    where n <> all (found_n)) m
                where m.client <> none) b) c
        where c.held > client_max[c.n];
    end if;
    fresh := fresh - cardinality(found_n) - cardinality(refused);
    if fresh = 0 then
        return;
    end if;
    if a.head < a.last_place then
        waits := exists (
            select from session s
            where s.event_id = id and s.place > a.head and s.status = 'WAITING' order by s.place limit 1);
    end if;
    if waits then
        select coalesce(e.on_sale_at, 0) <= at into strict is_sold from event e where e.event_id = id;
    else
        r := admission_room(id);
        at := now_ms();
        is_sold := r.on_sale;
        admitted := least(r.room, fresh);
        until := at + r.ttl;
        a.head := a.last_place + admitted;
    end if;
    if is_sold then
        line_head := a.head;
        line_rate := a.rate;
    end if;
    insert into session (event_id, session_id, place, joined_at, client, join_key, join_body, status,
        admitted_at, active_until, ends_at, join_active_until, join_head, join_rate)
    select id, substr(ids, 16 * j.n - 15, 16), a.last_place + j.nth, at, j.client, j.key, j.body,
        case when j.nth <= admitted then 'ACTIVE' else 'WAITING' end,
        case when j.nth <= admitted then at end,
        case when j.nth <= admitted then until end,
        case when j.nth <= admitted then until end,
        case when j.nth <= admitted and j.key is not null then until end,
        case when j.nth > admitted and j.key is not null then line_head end,
        case when j.nth > admitted and j.key is not null then line_rate end
    from (
        select n, row_number() over (order by n) as nth, nullif(substr(clients, 16 * n - 15, 16), none) as client,
            nullif(substr(keys, 16 * n - 15, 16), none) as key,
            case when substr(keys, 16 * n - 15, 16) <> none then substr(bodies, 16 * n - 15, 16) end as body
        from generate_series(1, length(ids) / 16) n
        where n <> all (found_n) and n <> all (refused)) j;
    -- A due that is far may be one of a clock that has stepped back since, or of other settings.
    update admission d set last_place = a.last_place + fresh, head = a.head,
        next_due = case when admitted < fresh then least(coalesce(a.next_due, at), at + 15000) else a.next_due end
    where d.event_id = id;
end
$$;
-- +goose StatementEnd
