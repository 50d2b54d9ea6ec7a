/* What `seom promote` leaves in a data directory whose world has moved away: whoever would make a
 * new world in it is told.
 */
#ifndef SEOM_APP_PROMOTE_H
#define SEOM_APP_PROMOTE_H

#define PROMOTED_NOTE "promoted" /* a file in the data directory */

#endif
