// Package messages is what the parts of boxoffice say to each other: the protobuf requests and replies that cross nodes
// (messages.proto), and the plain rows and errors that pass between the actors and what is stored.
package messages
