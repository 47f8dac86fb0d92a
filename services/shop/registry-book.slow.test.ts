import assert from "node:assert/strict";
import { test } from "node:test";
import { RegistryBook, type Report } from "./registry-book.js";

const report = (port: number, draining: number[] = [], instance = "p1"): Report => ({
  service: "product-service",
  instance,
  address: "10.0.0.30",
  port,
  draining,
});

test("an instance is found where it last said it was", () => {
  const book = new RegistryBook(1000);
  assert.equal(book.heartbeat(report(8001), 0), undefined);
  book.register(report(8001), 0);
  assert.deepEqual(book.heartbeat(report(8005, [8001]), 10), { isBack: false, from: 8001 });
  assert.deepEqual(book.discover("product-service"), [{ instance: "p1", address: "10.0.0.30", port: 8005 }]);
  assert.deepEqual(book.discover("payment"), []);
});

test("the history tells from when to when each port was open, drained ports too", () => {
  const book = new RegistryBook(1000);
  book.register(report(8001), 0);
  book.register(report(8005, [8001]), 100);
  book.register(report(8005), 200);
  assert.deepEqual(
    book.history().map(({ port, from, to }) => [port, from, to]),
    [
      [8001, 0, 200],
      [8005, 100, null],
    ],
  );
  book.register(report(8001, [8005]), 300);
  assert.equal(book.history().length, 3, "the same port again is a tenancy of its own");
});

test("the silent are forgotten, and their ports close when they were last heard", () => {
  const book = new RegistryBook(1000);
  book.register(report(8001), 0);
  book.register(report(8002, [], "p2"), 900);
  assert.deepEqual(
    book.expire(1001).map(({ instance }) => instance),
    ["p1"],
  );
  assert.deepEqual([book.history()[0]!.to, book.history()[1]!.to], [0, null]);
  assert.equal(book.expired, 1);
});

test("deregistering closes everything at once", () => {
  const book = new RegistryBook(1000);
  book.register(report(8001, [8002]), 0);
  assert.equal(book.deregister("p1", 50), true);
  assert.equal(book.deregister("p1", 60), false);
  assert.ok(book.history().every((entry) => entry.to === 50));
});

test("the history is bounded and keeps what is still open", () => {
  const book = new RegistryBook(1000, 10);
  for (let turn = 0; turn < 100; turn++) book.register(report(8001 + (turn % 11)), turn);
  assert.equal(book.history().length, 10);
  assert.equal(book.history().filter((entry) => entry.to === null).length, 1);
});

test("however much one instance reports, the history of the others stays", () => {
  const book = new RegistryBook(1000, 20);
  const at = (address: string, instance: string, port: number): Report => ({
    ...report(port, [], instance),
    address,
  });
  for (const [turn, port] of [8001, 8002, 8003].entries()) {
    book.register(report(port, [], "p2"), turn);
    book.register(at("10.0.0.31", "p3", port), turn);
  }
  const others = () =>
    book.history().flatMap(({ instance, port }) => (/^p[23]$/.test(instance) ? `${instance} ${port}` : []));
  const before = others();
  assert.equal(before.length, 6);
  const ports = Array.from({ length: 16 }, (_, i) => 9000 + i);
  for (let turn = 0; turn < 500; turn++) {
    book.heartbeat(report(8001 + (turn % 11)), 10 + turn);
    book.register(report(8001 + (turn % 11), turn % 2 ? ports : []), 10 + turn);
  }
  assert.deepEqual(others(), before);
  // nor under ever new names
  for (let turn = 0; turn < 500; turn++) {
    book.register(at("10.0.0.32", `p-${turn}`, 8001), 1000 + turn);
    book.deregister(`p-${turn}`, 1000 + turn);
  }
  assert.deepEqual(
    others().filter((entry) => entry.startsWith("p3")),
    before.filter((entry) => entry.startsWith("p3")),
  );
  assert.equal(book.history().length, 20);
});

test("names like __proto__ are names", () => {
  const book = new RegistryBook(1000);
  book.register(report(8001, [], "__proto__"), 0);
  assert.equal(book.rotation("__proto__"), 0);
  assert.equal(book.members().length, 1);
});
