/**
 * The client's side of SRP-6a (RFC 5054) as Espressif's provisioning speaks it: the group of 3072 bits, SHA-512, and
 * Espressif's choice of what is hashed with leading zeros (docs/protocol.md of wifiprovd).
 *
 * BigInt takes longer for some numbers than for others. What that could tell is told to a program on the same phone at most:
 * a handshake has secrets of its own, and happens once for each code that a person types.
 */
type Bytes = Uint8Array<ArrayBuffer>;

/** Of a number of the group, in bytes. */
const size = 384;

// RFC 5054, appendix A, and RFC 3526, 5.
export const prime = /* @__PURE__ */ BigInt('0x'
  + 'FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74'
  + '020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437'
  + '4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED'
  + 'EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05'
  + '98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB'
  + '9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B'
  + 'E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718'
  + '3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33'
  + 'A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7'
  + 'ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864'
  + 'D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2'
  + '08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF');
const generator = 5n;

/** What both sides come to. */
export interface Agreed {
  /** K: 64 bytes. */
  readonly key: Bytes;
  /** M1: the client's proof. */
  readonly client: Bytes;
  /** M2: the gateway's proof. */
  readonly server: Bytes;
}

/** SHA-512 of parts, one after the other. */
async function hash(...parts: readonly Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-512', Uint8Array.from(parts.flatMap((part) => [...part]))));
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`);
}

/** A number as 384 bytes. */
function padded(n: bigint): Bytes {
  return Uint8Array.from(n.toString(16).padStart(2 * size, '0').match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base % prime, rest = exponent; rest > 0n; rest >>= 1n, square = square * square % prime) {
    if (rest & 1n) result = result * square % prime;
  }
  return result;
}

const text = (s: string): Bytes => new TextEncoder().encode(s);

/** x, the exponent that a password stands for. */
async function exponentOf(user: string, password: Uint8Array, salt: Uint8Array): Promise<bigint> {
  return numberOf(await hash(salt, await hash(text(`${user}:`), password)));
}

/** What a gateway keeps of a password: 384 bytes. */
export async function verifierOf(user: string, password: Uint8Array, salt: Uint8Array): Promise<Bytes> {
  return padded(power(generator, await exponentOf(user, password, salt)));
}

/** What follows from the shared secret S, 384 bytes. a and b are as they were sent. */
export async function agree(user: string, salt: Uint8Array, a: Uint8Array, b: Uint8Array, s: Uint8Array): Promise<Agreed> {
  const key = await hash(s.subarray(s.findIndex((byte) => byte !== 0)));
  const group = await hash(padded(prime)), base = await hash(padded(generator));
  const client = await hash(group.map((byte, i) => byte ^ (base[i] ?? 0)), await hash(text(user)), salt, a, b, key);
  return { key, client, server: await hash(a, client, key) };
}

/** One exchange. */
export class SrpClient {
  readonly #secret: bigint;
  /** What the gateway is sent. */
  readonly public: Bytes;

  /** @param secret 32 random bytes. */
  constructor(readonly user: string, secret: Uint8Array = crypto.getRandomValues(new Uint8Array(32))) {
    this.#secret = numberOf(secret);
    this.public = padded(power(generator, this.#secret));
  }

  /**
   * What both come to, if the gateway knows the same password.
   *
   * @param salt As the gateway has sent it.
   * @param b The gateway's public key.
   * @throws RangeError if that is none of the group.
   */
  async agree(password: Uint8Array, salt: Uint8Array, b: Uint8Array): Promise<Agreed> {
    const other = numberOf(b);
    if (b.length > size || other % prime === 0n) throw new RangeError('a public key that is none');
    const x = await exponentOf(this.user, password, salt);
    const u = numberOf(await hash(this.public, padded(other)));
    const k = numberOf(await hash(padded(prime), padded(generator)));
    const base = (other % prime + prime - k * power(generator, x) % prime) % prime;
    return agree(this.user, salt, this.public, b, padded(power(base, this.#secret + u * x)));
  }
}
