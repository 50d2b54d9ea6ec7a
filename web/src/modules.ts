// What the tests reach: the parts that need no browser.
export * from "./wire/bytes";
export * from "./wire/protobuf";
export * from "./wire/messages";
export * from "./wire/motion";
export * from "./wire/batch";
export * from "./sea/clock";
export * from "./sea/replica";
export * from "./sea/avatar";
export * from "./sea/islands";
export * from "./sea/watch";
export * from "./sea/play";
export * from "./sea/line";
export * from "./chart/geometry";
export * from "./chart/camera";
export * from "./page/texts";
export * from "./page/address";
export * from "./page/gazetteer";
