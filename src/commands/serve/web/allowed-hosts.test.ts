import assert from "node:assert/strict";
import { test } from "node:test";
import { AllowedHosts } from "./allowed-hosts.js";

const hosts = new AllowedHosts("10.0.0.5", ["web-1.example.com", "2001:DB8::1"]);

test("names of loopback, of the listen address, of the address come to, and those given are answered to", () => {
  for (const header of [
    "localhost",
    "LOCALHOST:9810",
    "localhost.",
    "app.localhost",
    "127.0.0.1:9810",
    "127.9.9.9",
    "[::1]:9810",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "10.0.0.5:80",
    "Web-1.example.com:9810",
    "[2001:db8:0::1]",
    "192.168.7.7",
    undefined,
  ])
    assert.ok(hosts.allows(header, "::ffff:192.168.7.7"), header);
});

test("every other Host header is foreign, also one that only looks like loopback", () => {
  for (const header of [
    "evil.example.com",
    "evil.example.com:9810",
    "127.0.0.1.evil.com",
    "localhost.evil.com",
    "xlocalhost",
    "localhost@evil.com",
    "evil.com/localhost",
    "2130706433",
    "0x7f.1",
    "10.0.0.6",
    "[::2]",
    "::1",
    "[127.0.0.1]",
    "localhost:80:80",
    "localhost, evil.com",
    "",
    ":9810",
    "\u0000",
  ])
    assert.ok(!hosts.allows(header, "192.168.7.7"), header);
});

test("where it listens everywhere, only the address come to is its own", () => {
  const everywhere = new AllowedHosts(undefined, []);
  assert.ok(everywhere.allows("192.168.7.7:9810", "192.168.7.7"));
  assert.ok(!everywhere.allows("192.168.7.8:9810", "192.168.7.7"));
  assert.ok(!everywhere.allows("evil.com", undefined));
});

test("--allow-host takes a name or an address, without a port", () => {
  for (const text of ["a:80", "http://a", "*", "", "a b", "-a"])
    assert.throws(() => new AllowedHosts(undefined, [text]), /--allow-host .*without a port/, text);
});
