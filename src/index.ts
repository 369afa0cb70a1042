// The public door: everything a user of lanpost may import, and nothing else.
export type {
  About, AccessModel, AccountClaim, AccountRules, Affiliation, Box, BoxOptions, BoxStatus, Carrier, ClassifyOptions, ClassRules, CommandCall, CommandField, CommandHandler, CommandInfo, CommandOffer, ComponentOptions, ComponentStatus, Delivery, DeliveryBase,
  DeviceInfo, DownRule, FileContent, FileEvent, Finding, FindingCause,
  FindingLevel, From, Gap, GapRange, GapTopic, Grant, DrainProgress, HomeEvent, HomeOptions, RehearsalEvent, RehearsalReport, RehearseOptions, HomeState, HomeStatus, HomeTransport, Imported, Item, ItemsOptions, MaxBacklog, Limits, Message, MessagesOptions, MessageState, MessageStream,
  OfferOptions, OffLinkPeer, OutboxExport, OutboxImport, OwnPresence, PairingEvent, Peer, PeerClass, PeerEvent, PeerStatus, PeerTopic, Poison, Published, PublishModel, PublishOptions, Receipt, Retraction,
  RelayStatus, RequestOptions, Right, RunOptions, SendFileOptions, SendOptions, SubscribeOptions, Subscription, SubscriptionInfo, SubscriptionRequest, TopicAffiliation, TopicCandidate, TopicChange,
  TopicConfig, TopicInfo, TopicQuery, TopicSettings, Trouble, TrustEntry, TrustLevel, UpRule, Value,
} from './api.ts';
export { createBox } from './box.ts';
export { examineMachine } from './doctor.ts';
export { exportBox, importBox, repairBox } from './offline.ts';
export { attachBox } from './control/attach-box.ts';
export { ERROR_CODES, LanpostError } from './errors.ts';
export type { ErrorCode } from './errors.ts';
export { PAIRING_LIMITS, PairingDesk } from './pairing-desk.ts';
export type { Pairing, PairingDeskLimits } from './pairing-desk.ts';
export { resolveSenml } from './payload/senml/resolve.ts';
export type { ResolvedSenmlRecord } from './payload/senml/resolve.ts';
export { TOPIC_FIELDS } from './topic-fields.ts';
export type { FieldKind, TopicField } from './topic-fields.ts';
export { VERSION } from './version.ts';
