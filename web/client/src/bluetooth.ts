/**
 * The part of the Web Bluetooth API that this library uses, so that it needs no global and no type package. A browser's
 * `navigator.bluetooth` fits, and so does any other object that behaves alike.
 *
 * Source: Web Bluetooth, W3C community group report, https://webbluetoothcg.github.io/web-bluetooth/
 */
export interface BluetoothLike {
  /** Shows the browser's chooser. Needs a user's gesture. */
  requestDevice(options: RequestOptions): Promise<DeviceLike>;
  /** Whether there is a Bluetooth adapter that is on, as far as the browser tells. */
  getAvailability?(): Promise<boolean>;
}

/** What {@link BluetoothLike.requestDevice} is asked for. */
export interface RequestOptions {
  filters: { services: string[]; namePrefix?: string }[];
  optionalServices: string[];
}

/** A device that the user has chosen. */
export interface DeviceLike extends ListenedTo {
  readonly name?: string | undefined;
  readonly gatt?: ServerLike | undefined;
}

/** A device's GATT server. */
export interface ServerLike {
  readonly connected: boolean;
  connect(): Promise<unknown>;
  disconnect(): void;
  getPrimaryService(uuid: string): Promise<ServiceLike>;
}

/** A GATT service. */
export interface ServiceLike {
  getCharacteristic(uuid: string): Promise<CharacteristicLike>;
}

/** A GATT characteristic. */
export interface CharacteristicLike extends ListenedTo {
  readonly value?: DataView | undefined | null;
  readValue(): Promise<DataView>;
  writeValueWithResponse(value: Uint8Array<ArrayBuffer>): Promise<void>;
  startNotifications(): Promise<unknown>;
}

/** The two methods of an EventTarget. */
export interface ListenedTo {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}
