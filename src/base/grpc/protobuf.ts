import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A message or enum as a protobufjs JSON descriptor writes it. */
export interface Descriptor {
  fields?: Record<string, { type: string; id: number; rule?: string; keyType?: string }>;
  values?: Record<string, number>;
  /** Enums declared inside the message. */
  nested?: Record<string, Descriptor>;
}

/** `id` is a uint64 that names something, as etcd's members have: kept whole, as decimal text. */
type Scalar = "string" | "bool" | "bytes" | "int32" | "uint32" | "int64" | "uint64" | "double" | "id";

interface Field {
  name: string;
  id: number;
  repeated: boolean;
  /** Set for maps: the value is `scalar` or `message`. */
  mapKey?: Scalar;
  scalar?: Scalar;
  message?: string;
}

type Message = Record<string, unknown>;

/**
 * Encodes and decodes proto3 messages from a table of descriptors. Field names are camelCase in JavaScript;
 * 64-bit integers are numbers (nanosecond timestamps lose less than a microsecond); absent fields stay absent.
 */
export class ProtoCodec {
  readonly #fields = new Map<string, Field[]>();
  readonly #descriptors: Record<string, Descriptor>;
  constructor(descriptors: Record<string, Descriptor>) {
    this.#descriptors = Object.assign({}, descriptors, ...Object.values(descriptors).map(({ nested }) => nested ?? {}));
  }

  encode(type: string, message: Message): Uint8Array {
    return this.#write(new BinaryWriter(), type, message).finish();
  }

  decode(type: string, bytes: Uint8Array): Message {
    return this.#read(new BinaryReader(bytes), type, bytes.length);
  }

  #fieldsOf(type: string): Field[] {
    let fields = this.#fields.get(type);
    if (!fields) {
      const descriptor = this.#descriptors[type];
      if (!descriptor?.fields) throw new Error(`no descriptor for the message ${type}`);
      fields = Object.entries(descriptor.fields).map(([name, f]) => ({ name: camelCase(name), id: f.id, repeated: f.rule === "repeated", ...(f.keyType ? { mapKey: f.keyType as Scalar } : {}), ...this.#kindOf(f.type, descriptor) }));
      this.#fields.set(type, fields);
    }
    return fields;
  }

  #kindOf(type: string, { nested }: Descriptor): Pick<Field, "scalar" | "message"> {
    if (scalars.has(type)) return { scalar: type as Scalar };
    return (nested?.[type] ?? this.#descriptors[type])?.values ? { scalar: "int32" } : { message: type };
  }

  #write(writer: BinaryWriter, type: string, message: Message): BinaryWriter {
    for (const field of this.#fieldsOf(type)) {
      const value = message[field.name];
      if (value === undefined || value === null) continue;
      if (field.mapKey) this.#writeMap(writer, field, value as Message);
      else if (field.repeated) for (const item of value as unknown[]) this.#writeOne(writer, field, item);
      else if (field.message || !isZero(value)) this.#writeOne(writer, field, value);
    }
    return writer;
  }

  #writeOne(writer: BinaryWriter, field: Field, value: unknown): void {
    if (field.message) {
      this.#write(writer.tag(field.id, WireType.LengthDelimited).fork(), field.message, value as Message).join();
      return;
    }
    writer.tag(field.id, wireTypeOf(field.scalar!));
    writeScalar(writer, field.scalar!, value);
  }

  #writeMap(writer: BinaryWriter, field: Field, map: Message): void {
    const valueField = { ...field, id: 2, repeated: false };
    for (const [key, value] of Object.entries(map)) {
      writer.tag(field.id, WireType.LengthDelimited).fork();
      writer.tag(1, wireTypeOf(field.mapKey!));
      writeScalar(writer, field.mapKey!, key);
      this.#writeOne(writer, valueField, value);
      writer.join();
    }
  }

  #read(reader: BinaryReader, type: string, length: number): Message {
    const fields = this.#fieldsOf(type);
    const end = reader.pos + length;
    const message: Message = {};
    while (reader.pos < end) {
      const [id, wire] = reader.tag();
      const field = fields.find((f) => f.id === id);
      if (!field) reader.skip(wire, id);
      else if (field.mapKey) this.#readMapEntry(reader, field, message);
      else if (!field.repeated) message[field.name] = this.#readOne(reader, field);
      else this.#readRepeated(reader, field, wire, message);
    }
    return message;
  }

  #readOne(reader: BinaryReader, field: Field): unknown {
    return field.message ? this.#read(reader, field.message, reader.uint32()) : readScalar(reader, field.scalar!);
  }

  #readRepeated(reader: BinaryReader, field: Field, wire: WireType, message: Message): void {
    const list = (message[field.name] ??= []) as unknown[];
    const packed = wire === WireType.LengthDelimited && field.scalar !== undefined && wireTypeOf(field.scalar) !== WireType.LengthDelimited;
    if (!packed) {
      list.push(this.#readOne(reader, field));
      return;
    }
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) list.push(readScalar(reader, field.scalar!));
  }

  #readMapEntry(reader: BinaryReader, field: Field, message: Message): void {
    const map = (message[field.name] ??= {}) as Message;
    const end = reader.uint32() + reader.pos;
    let key: unknown = "";
    let value: unknown = field.message ? {} : field.scalar === "string" ? "" : 0;
    while (reader.pos < end) {
      const [id, wire] = reader.tag();
      if (id === 1) key = readScalar(reader, field.mapKey!);
      else if (id === 2) value = this.#readOne(reader, field);
      else reader.skip(wire, id);
    }
    map[String(key)] = value;
  }
}

const scalars = new Set<string>(["string", "bool", "bytes", "int32", "uint32", "int64", "uint64", "double", "id"]);

const isZero = (value: unknown): boolean => value === 0 || value === "" || value === false || (value instanceof Uint8Array && value.length === 0);

function wireTypeOf(scalar: Scalar): WireType {
  if (scalar === "string" || scalar === "bytes") return WireType.LengthDelimited;
  return scalar === "double" ? WireType.Bit64 : WireType.Varint;
}

function writeScalar(writer: BinaryWriter, scalar: Scalar, value: unknown): void {
  switch (scalar) {
    case "string": writer.string(String(value)); break;
    case "bytes": writer.bytes(value as Uint8Array); break;
    case "bool": writer.bool(Boolean(value)); break;
    case "int32": writer.int32(Number(value)); break;
    case "uint32": writer.uint32(Number(value)); break;
    case "int64": writer.int64(BigInt(Math.trunc(Number(value)))); break;
    case "uint64": writer.uint64(BigInt(Math.trunc(Number(value)))); break;
    case "double": writer.double(Number(value)); break;
    case "id": writer.uint64(BigInt(String(value))); break;
  }
}

function readScalar(reader: BinaryReader, scalar: Scalar): unknown {
  switch (scalar) {
    case "string": return reader.string();
    case "bytes": return reader.bytes();
    case "bool": return reader.bool();
    case "int32": return reader.int32();
    case "uint32": return reader.uint32();
    case "int64": return Number(reader.int64());
    case "uint64": return Number(reader.uint64());
    case "double": return reader.double();
    case "id": return String(reader.uint64());
  }
}

/** `working_dir` → `workingDir`; `CDI_devices` → `CDIDevices`, as the generated interfaces spell them. */
function camelCase(name: string): string {
  return name.replace(/_([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase()).replace(/^([A-Z])(?=[a-z])/, (letter) => letter.toLowerCase());
}
