/** The states of a guest, in the region's STATE word; `STATE_WORD` says what else is in it. */
export const GUEST_STATE = {
  ABSENT: 0,
  ATTACHING: 1,
  RUNNING: 2,
  DETACHING: 3,
  QUARANTINED: 4,
  RETIRED: 5,
} as const;

/** The states' names, by number. */
export const GUEST_STATE_NAMES = Object.keys(GUEST_STATE) as (keyof typeof GUEST_STATE)[];

const { ABSENT, ATTACHING, RUNNING, DETACHING, QUARANTINED, RETIRED } = GUEST_STATE;

/**
 * Which side may change the state from what to what. What is not here is forbidden; the reasons:
 *
 * - ABSENT -> RUNNING: the host must reset the rings in between.
 * - RUNNING -> ATTACHING: the frames that the guest holds would be forgotten.
 * - RUNNING -> ABSENT by the guest: only the host can tell that all mbufs are back.
 * - RETIRED -> ABSENT or ATTACHING by the guest: a paused guest may yet write to frames that it
 *   held, so the host lends them to nobody until it, or its successor in the same machine, says
 *   otherwise.
 * - QUARANTINED -> anything by the guest: it is not to be trusted again in this host's life.
 */
export const TRANSITIONS: readonly { by: "guest" | "host"; from: number; to: number }[] = [
  { by: "guest", from: ABSENT, to: ATTACHING }, // claims the place; two at once: one CAS fails
  { by: "host", from: ATTACHING, to: RUNNING }, // rings are reset, forwarding may begin
  { by: "guest", from: ATTACHING, to: DETACHING }, // gives up waiting
  { by: "guest", from: RUNNING, to: DETACHING }, // has stopped touching mbufs
  { by: "host", from: DETACHING, to: ABSENT }, // mbufs taken back
  { by: "host", from: ATTACHING, to: ABSENT }, // the host stops just then
  { by: "host", from: RUNNING, to: ABSENT }, // died: its connection to the server is closed
  { by: "host", from: RUNNING, to: RETIRED }, // heartbeat stopped: dead, or only paused
  { by: "guest", from: RETIRED, to: DETACHING }, // was paused, and touches nothing any more
  { by: "host", from: RETIRED, to: ABSENT }, // is gone for sure, or its mbufs are needed
  { by: "host", from: ABSENT, to: QUARANTINED }, // whose guests have lied: nobody is let in any more
  { by: "host", from: ATTACHING, to: QUARANTINED },
  { by: "host", from: RUNNING, to: QUARANTINED },
  { by: "host", from: DETACHING, to: QUARANTINED },
  { by: "host", from: RETIRED, to: QUARANTINED },
];
