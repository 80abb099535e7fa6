/** A database in the MaxMind DB format (version 2.0) with one IPv4 network, for tests: strings, maps and small numbers. */

type Value = string | number | string[] | { [key: string]: Value };

const MARKER = Buffer.from('abcdef4d61784d696e642e636f6d', 'hex');
const NODE_BYTES = 6;

/** @param network such as 127.0.0.0/8 */
export function mmdb(network: string, entry: Value): Buffer {
  const [address = '', bits = '32'] = network.split('/');
  const length = Number(bits);
  const path = address
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('')
    .slice(0, length);
  // A node a bit; the wrong turn of each says "nothing here", which is the number of nodes.
  const tree = Buffer.concat(
    [...path].map((bit, index) => {
      const onward = index + 1 < length ? index + 1 : length + 16;
      return record(bit === '0' ? [onward, length] : [length, onward]);
    }),
  );
  const metadata = {
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1,
    database_type: 'Test-City',
    description: { en: 'A test' },
    ip_version: 4,
    languages: ['en', 'fr'],
    node_count: length,
    record_size: 24,
  };
  return Buffer.concat([tree, Buffer.alloc(16), encoded(entry), MARKER, encoded(metadata)]);
}

function record([left, right]: [number, number]): Buffer {
  const node = Buffer.alloc(NODE_BYTES);
  node.writeUIntBE(left, 0, 3);
  node.writeUIntBE(right, 3, 3);
  return node;
}

/** Types: 2 text, 6 a number of 32 bits, 7 a map, 11 (7 + 4) a list. */
function encoded(value: Value): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    if (text.length < 29) return Buffer.concat([Buffer.from([(2 << 5) | text.length]), text]);
    return Buffer.concat([Buffer.from([(2 << 5) | 29, text.length - 29]), text]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([Buffer.from([(6 << 5) | 4]), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([Buffer.from([value.length, 4]), ...value.map(encoded)]);
  const entries = Object.entries(value).flatMap(([key, each]) => [encoded(key), encoded(each)]);
  return Buffer.concat([Buffer.from([(7 << 5) | Object.keys(value).length]), ...entries]);
}
