/** Reads numbers of packets: network order. */

export function load16(at: usize): i32 {
  return <i32>bswap<u16>(load<u16>(at));
}

export function load32(at: usize): i32 {
  return bswap<i32>(load<i32>(at));
}
