import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { CustomResourceConversion } from "../../apis/generated/apiextensions/v1.ts";
import { webhookConverter, type WebhookCaller } from "./webhook.ts";

/** Makes objects of one version out of objects of others; those that have it already come back as they are. Order and length stay. */
export type Converter = (objects: readonly Frozen<KubeObject>[], apiVersion: string) => readonly Frozen<KubeObject>[] | Promise<readonly Frozen<KubeObject>[]>;

export interface ConverterOptions {
  conversion: Frozen<CustomResourceConversion> | undefined;
  /** `Foo` in `example.com`: for messages. */
  group: string;
  webhooks: WebhookCaller;
}

export const createConverter = ({ conversion, group, webhooks }: ConverterOptions): Converter =>
  (conversion?.strategy === "Webhook" && conversion.webhook ? webhookConverter({ webhook: conversion.webhook, group, webhooks }) : changeVersion);

/** Strategy None: only apiVersion changes. */
const changeVersion: Converter = (objects, apiVersion) => objects.map((object) => (object.apiVersion === apiVersion ? object : { ...object, apiVersion }));
