import assert from "node:assert/strict";
import { test } from "node:test";
import { Channels } from "./channels.js";

/** A channel between hosts 10.0.0.`client` and 10.0.0.`server`. */
function find(channels: Channels, client: number, server: number, port = 80, timeUs = 0): number {
  const word = (ofServer: boolean) => 0x0a00_0000 + (ofServer ? server : client);
  return channels.find(4, word, 40_000, port, timeUs);
}

test("a channel is of a client, a server and its port: the same ones find it again", () => {
  const channels = new Channels();
  const first = find(channels, 1, 2);
  assert.equal(find(channels, 1, 2), first);
  assert.equal(
    new Set([first, find(channels, 2, 1), find(channels, 1, 3), find(channels, 1, 2, 81)]).size,
    4,
  );
  assert.deepEqual(channels.end(first, false), { address: "10.0.0.1", port: 40_000 });
  assert.deepEqual(channels.end(first, true), { address: "10.0.0.2", port: 80 });
});

test("IPv4 and IPv6 are told apart, and all four words of an address count", () => {
  const channels = new Channels();
  const six = (last: number) => channels.find(6, (_, i) => (i === 3 ? last : 0x0a00_0001), 1, 80, 0);
  const four = channels.find(4, () => 0x0a00_0001, 1, 80, 0);
  assert.equal(new Set([six(1), six(2), four]).size, 3);
  assert.equal(channels.end(six(2), true).address, "a00:1:a00:1:a00:1:0:2");
});

test("thousands of channels are all found again", () => {
  const channels = new Channels();
  const numbers = Array.from({ length: 5000 }, (_, i) => find(channels, i % 250, 250 - (i % 5), 1000 + i));
  assert.equal(new Set(numbers).size, 5000);
  for (let i = 0; i < 5000; i++) assert.equal(find(channels, i % 250, 250 - (i % 5), 1000 + i), numbers[i]);
});

test("when names have changed, the same ends are another channel; when it began is known", () => {
  const channels = new Channels();
  const before = find(channels, 1, 2, 80, 100);
  channels.renew();
  const after = find(channels, 1, 2, 80, 200);
  assert.notEqual(after, before);
  assert.equal(find(channels, 1, 2, 80, 300), after);
  assert.deepEqual([channels.startUs(before), channels.startUs(after)], [100, 200]);
});

test("known changes of names separate the channels automatically", () => {
  const channels = new Channels([1000, 2000, 2000, 3000]);
  const at = (timeUs: number) => find(channels, 1, 2, 80, timeUs);
  const [first, second, third] = [at(999), at(1000), at(3500)];
  assert.equal(at(3600), third);
  assert.equal(new Set([first, second, third]).size, 3);
});

test("what finds no room shares a channel without an address", () => {
  const channels = new Channels();
  for (let i = 0; i < 65_536; i++) channels.find(4, (ofServer) => (ofServer ? 1 : i), 1, 80, 0);
  assert.equal(find(channels, 7, 9), -1);
  assert.deepEqual(channels.end(-1, true), { address: null, port: 0 });
  assert.equal(
    channels.find(4, (ofServer) => (ofServer ? 1 : 77), 1, 80, 0),
    77,
    "a known one is still found",
  );
});
