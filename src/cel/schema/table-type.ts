import { structOf, type StructType, type Type } from "../../apimachinery/schema/schema.ts";
import type { DeclField, DeclType } from "../cel.ts";
import { bytesType, durationType, structType } from "../type.ts";
import { declared } from "./decl-type.ts";
import { escapeName } from "./escape.ts";

const known = new WeakMap<StructType, DeclType>();

/** The declared type of a built-in kind, from the schema table; fields are looked at when an expression reaches them. */
export const tableDeclType = (name: string): DeclType => ofStruct(structOf(name));

function ofStruct(struct: StructType): DeclType {
  let found = known.get(struct);
  if (!found) known.set(struct, found = new StructDeclType(struct));
  return found;
}

/** Types refer to each other in circles, so that fields can only be read late. */
class StructDeclType implements DeclType {
  readonly type;
  readonly maxElements = 0;
  readonly minSerializedSize = 2;
  #fields: ReadonlyMap<string, DeclField> | undefined;

  constructor(private readonly struct: StructType) {
    this.type = structType(struct.name);
  }

  get fields(): ReadonlyMap<string, DeclField> {
    return (this.#fields ??= new Map([...this.struct.fields.values()].flatMap(({ name, type }) => {
      const escaped = escapeName(name);
      return escaped === undefined ? [] : [[escaped, { json: name, decl: ofType(type) }] as const];
    })));
  }
}

function ofType(type: Type): DeclType {
  switch (type.kind) {
    case "scalar": return ofScalar(type.scalar);
    case "list": return declared.list(ofType(type.item));
    case "map": return declared.map(ofType(type.value));
    case "struct": return ofStruct(type);
    case "time": case "microTime": return declared.timestamp;
    case "duration": return { type: durationType, maxElements: 32, minSerializedSize: 3 };
    case "quantity": return declared.string;
    case "bytes": return { ...declared.string, type: bytesType };
    default: return declared.dyn;
  }
}

function ofScalar(scalar: string): DeclType {
  if (scalar === "string") return declared.string;
  if (scalar === "bool") return declared.bool;
  return scalar === "float64" ? declared.double : declared.int;
}
