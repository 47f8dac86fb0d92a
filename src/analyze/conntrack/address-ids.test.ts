import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressIds } from "./address-ids.js";

test("equal addresses have one number, others another; the text is the address's", () => {
  const ids = new AddressIds();
  const words = new Int32Array(8);
  const numbers = new Map<string, number>();
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 5000; i++) {
      words.set([0x0a000000 | i, i * 7, i % 3, -i], 2);
      for (const ipv6 of [false, true]) {
        const id = ids.of(words, 2, ipv6);
        const text = ids.text(id);
        assert.equal(text.includes(":"), ipv6);
        assert.equal(numbers.get(text) ?? id, id);
        numbers.set(text, id);
      }
    }
  assert.deepEqual([ids.count, numbers.size, new Set(numbers.values()).size], [10_000, 10_000, 10_000]);
});

test("an IPv4 address that IPv6 carries is that address", () => {
  const ids = new AddressIds();
  const mapped = Int32Array.of(0, 0, 0xffff, 0x7f000001);
  const id = ids.of(mapped, 0, true);
  assert.equal(ids.text(id), "127.0.0.1");
  assert.equal(ids.of(mapped, 3, false), id);
  assert.notEqual(ids.of(Int32Array.of(0x7f000001, 0, 0, 0), 0, true), id);
});
