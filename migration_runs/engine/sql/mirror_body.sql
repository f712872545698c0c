-- what: what a sync trigger does after each statement on its table.
-- why: it collects the keys that the statement was about, notes those that lived before, and then reads its own table
--      again and makes the other side equal. Reading again, instead of passing on what the statement did, is what makes
--      nested statements, echoes and late transactions harmless.
-- locks: rows of the other side with these keys
-- timeout: lock as set on the function; statement_timeout is the application's
-- undo: DROP TRIGGER
DECLARE
    -- keys: all that the statement was about; olds: those that lived before it; news: those that live after it; lost:
    -- those that live no more. all: what the scope fixes.
    {declarations}
    depth  CONSTANT integer := pg_trigger_depth();
    told   CONSTANT text := current_setting('phasegate.origin', true);
    echo   boolean := false;
    -- Whether to expect rows on the other side. An INSERT seldom meets one; where it does, it is tried again.
    careful boolean := {careful};
    -- Assigned, not performed: an assignment is evaluated without starting a query. That also is why conditions nest.
    nothing text;
    origin text := {side};
BEGIN
    IF TG_OP = 'INSERT' THEN
        {collect_new};
    ELSIF TG_OP = 'DELETE' THEN
        {collect_old};
        {all_lost};
    ELSE
        {collect_both};
        IF {same} THEN
            {keys_are_olds};
        ELSIF {no_olds} THEN
            {keys_are_news};
        ELSIF {no_news} THEN
            {keys_are_olds};
            {lost_are_olds};
        ELSE
            {moved};
        END IF;
    END IF;
    IF {no_keys} THEN
        RETURN NULL;
    END IF;

    -- Ours is the statement that was issued one level above, by a mirror function (or, at level 0, by a drain):
    -- the application's own nested statements are never taken for an echo.
    IF split_part(told, ':', 2) = (depth - 1)::text AND (depth > 1 OR session_user = {runner}) THEN
        echo := true;
        origin := split_part(told, ':', 1);
    END IF;
    {on_revival}
    IF {notes_more} THEN
        {note_more};
    END IF;
    IF depth > {deepest} THEN
        {note_all};
        RETURN NULL;
    END IF;
    IF echo THEN
        IF NOT EXISTS ({difference}) THEN
            RETURN NULL;
        END IF;
        -- A rollback brings rows back without locking where they come from: what differs by now was written there
        -- since, and must not be overwritten by its own echo. The drain settles it under locks on both sides.
        IF split_part(told, ':', 3) = 'unlocked' THEN
            {note_all};
            RETURN NULL;
        END IF;
    END IF;

    IF current_setting('transaction_isolation') <> 'read committed' THEN
        IF EXISTS ({seen_twice}) THEN
            {note_all};
            RETURN NULL;
        END IF;
    END IF;

    nothing := set_config('phasegate.origin', origin || ':' || depth, true);
    LOOP
        BEGIN
            IF careful THEN
                {write_over};
            ELSE
                {write_new};
            END IF;
            IF {some_lost} THEN
                {remove};
            END IF;
            EXIT;
        EXCEPTION WHEN {gives_way} THEN
            IF careful OR SQLSTATE <> '23505' THEN
                {note_all};
                EXIT;
            END IF;
            careful := true;
        END;
    END LOOP;
    nothing := set_config('phasegate.origin', coalesce(told, ''), true);
    RETURN NULL;
END
