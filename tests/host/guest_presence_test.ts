import { equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import type { Peer } from "../../app/ivshmem/peer.ts";
import type { Reconnector } from "../../app/region/reconnector.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { peerOf } from "../../app/channel/state_word.ts";
import { FakePeer } from "../ivshmem/fake_peer.ts";
import { TestHost } from "./test_host.ts";

const { ABSENT, RETIRED } = GUEST_STATE;

/** A guest, peer 1, that holds 8 frames when its host finds another server, where it is peer 5. */
class PresenceLab implements Disposable {
  readonly first = new FakePeer(0);
  readonly second = new FakePeer(5);
  readonly lab: TestHost;
  #now = 0;

  constructor() {
    const reconnector = { attempt: (_: Peer) => this.second.peer } as unknown as Reconnector;
    const lab = this.lab = new TestHost({ peer: this.first.peer, reconnector });
    this.first.joins(1);
    equal(lab.guest.claim({ pid: 4711, wantsMbufs: false, peer: 1 }), 1);
    this.steps();
    const [lane, port] = lab.lane();
    port.waiting = 8;
    lane.hostToGuest();
  }

  /** Let time go by while its heart beats, or does not. */
  steps(count = 4, beats = true): void {
    for (let i = 0; i < count; i++) {
      if (beats) this.lab.guest.beat();
      this.lab.region.peers.poll(this.#now += 500);
      this.lab.supervisor.step(this.#now);
      this.lab.follower.follow();
    }
  }

  /** The server goes, and we find the next one; `joins` are peers there. */
  loseServer(...joins: number[]): void {
    this.first.loses();
    this.lab.region.peers.poll(this.#now);
    for (const id of joins) this.second.joins(id);
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
    this.first.close();
  }
}

Deno.test("a paused guest's quiesced ends when the server says that it is gone", () => {
  using presence = new PresenceLab();
  const { lab, first } = presence;
  presence.steps(8, false);
  equal(lab.guest.state, RETIRED);
  first.leaves(1);
  presence.steps(1, false);
  equal(lab.guest.state, ABSENT);
  equal(lab.free, 256);
});

Deno.test("a guest is not dead because its server is", () => {
  using presence = new PresenceLab();
  presence.loseServer();
  presence.steps(20);
  equal(presence.lab.supervisor.isOpen, true);
});

for (const id of [1, 6]) {
  Deno.test(`a guest that is peer ${id} of the next server is seen to leave there`, () => {
    using presence = new PresenceLab();
    const { lab, second } = presence;
    presence.loseServer(id, 7);
    presence.steps();
    lab.guest.introduceAgain(id, 1);
    presence.steps();
    equal(peerOf(lab.guest.word), id);
    second.leaves(7);
    presence.steps();
    equal(lab.supervisor.isOpen, true, "that was another");
    second.leaves(id);
    presence.steps();
    equal(lab.guest.state, ABSENT);
    equal(lab.log.includes("guest 0 died: its connection to the server is closed"), true);
  });
}

Deno.test("a guest that is killed as soon as it has found the next server is seen to leave there", () => {
  using presence = new PresenceLab();
  const { lab, second } = presence;
  presence.loseServer(6);
  presence.steps();
  lab.guest.introduceAgain(6, 1);
  second.leaves(6);
  presence.steps(2);
  equal(lab.guest.state, ABSENT);
});

Deno.test("another peer by a guest's old id is not taken for it", () => {
  using presence = new PresenceLab();
  presence.loseServer(1);
  presence.steps();
  presence.second.leaves(1);
  presence.steps();
  equal(presence.lab.supervisor.isOpen, true);
});

Deno.test("a guest of a server that is gone is not kept in quiesced: nobody could tell that it has died", () => {
  using presence = new PresenceLab();
  const { lab } = presence;
  presence.loseServer();
  presence.steps(8, false);
  equal(lab.guest.state, ABSENT);
  equal(lab.free, 256);
});

for (const isMissing of [false, true]) {
  const what = isMissing ? "not told that it is woken if an" : "told that it is woken if each";
  Deno.test(`a guest is ${what} eventfd of its vectors is ${isMissing ? "missing" : "there"}`, () => {
    const host = new FakePeer(0);
    using lab = new TestHost({ peer: host.peer });
    const eventfds = host.joins(1);
    if (isMissing) shim.shim_fd_close(eventfds.splice(1, 1, -1)[0]);
    equal(lab.guest.claim({ pid: 4711, wantsMbufs: false, peer: 1 }), 1);
    lab.region.peers.poll(0);
    lab.supervisor.step(0);
    equal(lab.guest.isNotified, !isMissing);
    host.close();
  });
}
