// Made by "npm run lua" of the files in lua/. Not to be edited.

const counts = `function F.startCount()
local count={now=now,todo={},groups={},none=0}
count.todo[1]={'log','',0}
for name,group in pairs(F.allGroups())do
count.groups[name]={ended=0,ready=0,delayed=0,blocked=0,parked=0}
for _,kind in ipairs({'reap','ends','join'})do
count.todo[#count.todo+1]={kind,name,0}
end
end
return count
end
function F.overFrom(key,place,most,time)
local rows=call('ZRANGE',key,place,place+most - 1,'WITHSCORES')
local members={}
for i=1,#rows,2 do
if tonumber(rows[i+1])>time then
return members
end
members[#members+1]=rows[i]
end
return members,#members==most and place+most or nil
end
local look={}
function look.log(count,_,place)
if not queue.reap or queue.reap>count.now then
return nil,0
end
local members,next=F.overFrom(base .. 'expiry',place,64,count.now)
local looked=0
for _,member in ipairs(members)do
local segment=F.segmentAt(tonumber(member))
if segment then
local amendments,gone=F.amendmentsOf(segment.first,segment.last),F.goneIn(segment.first,segment.last)
local expiries=segment.columns and segment.columns.expires or{}
looked=looked+segment.count+16
for i=1,segment.count do
local seq=segment.first+i - 1
local expires=expiries[i]
if amendments and amendments[seq] then
expires=amendments[seq].expires
end
if expires and expires<=count.now and not(gone and gone[seq])then
count.none=count.none - 1
for name,group in pairs(groups)do
if seq>=group.row.cursor and count.groups[name] then
count.groups[name].ready=count.groups[name].ready - 1
end
end
end
end
end
end
return next,looked
end
function look.reap(count,group,place)
local lanes=group.row.lanes
if group.row.waiting+group.row.blocked+(group.row.parked or 0)==0 and not(lanes and lanes.flows>0)then
return nil,0
end
local members,next=F.overFrom(F.keyOf(group,'reap'),place,500,count.now)
local numbers=count.groups[group.name]
if #members>0 then
local sides=call('HMGET',F.keyOf(group,'side'),unpack(members))
for i=1,#members do
local side=sides[i] and cmsgpack.unpack(sides[i])
local isBehind=side and side.blocked or not side and tonumber(members[i])<281474976710656
local state=isBehind and 'blocked' or 'ready'
if side and not side.blocked then
state=side.parked and 'parked' or side.at>count.now and 'delayed' or 'ready'
end
numbers[state]=numbers[state] - 1
end
end
return next,#members
end
function look.ends(count,group,place)
if group.row.leased==0 then
return nil,0
end
local members,next=F.overFrom(F.keyOf(group,'ends'),place,500,count.now)
local numbers=count.groups[group.name]
for _,member in ipairs(members)do
local lease=string.match(member,'^%d+$')and{first=0,last=0}or F.toLease(member)
numbers.ended=numbers.ended+lease.last - lease.first+1
end
return next,#members
end
function look.join(count,group,place)
local join=group.row.join
if not join then
return nil,0
end
if place>=join.bound - 1 then
F.nextWindow(join)
end
join.from=math.max(join.from,place)
local messages,bound=F.unjoined(group,500)
for _,message in ipairs(messages)do
if not message.expires or message.expires>count.now then
count.groups[group.name].ready=count.groups[group.name].ready+1
end
end
if bound<join.bound or join.lanes then
return bound - 1,#messages
end
return nil,#messages
end
function F.goOn(count,most)
while #count.todo>0 do
if most<=0 then
return false
end
local one=count.todo[1]
local kind,name=one[1],one[2]
local group=kind=='log' or count.groups[name] and groups[name]
local next,looked
if group then
next,looked=look[kind](count,group,one[3])
most=most - looked
end
if next then
one[3]=next
else
table.remove(count.todo,1)
end
end
return true
end
function F.countOverdue(time)
if not queue.timer or queue.timer>time then
return 0,0
end
local due=call('ZCOUNT',base .. 'timers','-inf',time)
return due,call('ZCOUNT',base .. 'lapse','-inf',time)
end
function F.countOverdueSince(since,time)
local due=call('ZCOUNT',base .. 'timers',string.format('(%.0f',since.at),time)
local lapsed=0
for _,member in ipairs(call('ZRANGEBYSCORE',base .. 'lapse','-inf',time,'LIMIT',0,2000))do
local at=tonumber(call('ZSCORE',base .. 'timers',member))
lapsed=lapsed+(at and at>since.at and 1 or 0)
end
return due,lapsed
end
function F.countGroup(count,group)
local row,numbers,time=group.row,count.groups[group.name],count.now
local overdue,lapsed=F.countOverdue(time)
local later=queue.delayed - overdue
if row.since and overdue>0 then
overdue,lapsed=F.countOverdueSince(row.since,time)
end
local due=row.waiting>0 and call('ZCOUNT',F.keyOf(group,'due'),'-inf',time)or 0
local ahead,ended=queue.tail - row.cursor - F.countGone(row.cursor),numbers.ended
local lanes=row.lanes
if lanes and lanes.flows>0 then
due=due+lanes.again+call('ZCOUNT',F.keyOf(group,'rests'),'-inf',time)
ahead=ahead+lanes.ahead
ended=ended+lanes.lost+call('ZCOUNT',F.keyOf(group,'lends'),'-inf',time)
end
return ahead+due+overdue - lapsed+ended+numbers.ready,
row.leased - ended,
later+row.waiting - due+numbers.delayed,
row.blocked+numbers.blocked,
(row.parked or 0)+numbers.parked
end
function F.countMessages(count)
local most=0
for name in pairs(count.groups)do
local ready,leased,delayed,blocked,parked=F.countGroup(count,groups[name])
most=math.max(most,ready+leased+delayed+blocked+parked)
end
if queue.groups==0 then
local first=F.firstSegment()
local _,lapsed=F.countOverdue(count.now)
most=queue.tail -(first and first.first or queue.tail)- F.countGone(0)+queue.delayed - lapsed+count.none
if queue.early then
most=most+queue.early - call('ZCOUNT',base .. 'earlyreap','-inf',count.now)
end
end
return most
end
function F.countRetained(enough)
if not enough then
return 0
end
local count=F.startCount()
local messages=F.countMessages(count)
if messages>enough then
local todo={}
for _,one in ipairs(count.todo)do
if one[1]~='ends' then
todo[#todo+1]=one
end
end
count.todo=todo
F.goOn(count,10000)
messages=F.countMessages(count)
end
return messages
end
function F.bytesRetained()
local first=F.firstSegment()
local bytes=queue.later+(queue.earlyBytes or 0)+(first and queue.bytes - first.bytes or 0)
for _,group in pairs(F.allGroups())do
bytes=bytes+group.row.outside
end
return bytes
end
`

const drop = `function F.dropDelayed(number,message)
local member=F.seqText(number)
call('ZREM',base .. 'timers',member)
call('HDEL',base .. 'delayed',member)
if message.expires then
call('ZREM',base .. 'lapse',member)
end
queue.delayed=queue.delayed - 1
queue.later=queue.later - #message.record
if queue.delayed==0 then
queue.timer=nil
end
queueChanged=true
end
function F.drop(id,found)
if found.number then
local message=F.delayedMessage(found.number)
if not message then
return false
end
F.dropDelayed(found.number,message)
call('HDEL',base .. 'ids',id)
call('ZREM',base .. 'past',id)
return true
end
local seq=found.seq
local early=queue.early and queue.groups==0 and F.earlyMessage(seq)
if early then
F.dropEarly(early)
end
local dropped=early or queue.groups==0 and F.isPending(seq)
handing=false
for _,group in pairs(F.allGroups())do
local place=F.locate(group,seq)
if place then
F.remove(group,place,F.messageIn(group,place,seq))
dropped=true
end
end
handing=true
for key in pairs(queue.ghosts or{})do
call('ZREMRANGEBYSCORE',base .. key,seq,seq)
end
if not dropped then
return false
end
if F.segmentAt(seq)then
F.markGone(seq)
end
local row=call('HGET',base .. 'ids',id)
if row and F.readId(row).seq==seq then
call('HDEL',base .. 'ids',id)
call('ZREM',base .. 'past',id)
end
return true
end
function F.passGone()
if queue.gone==0 then
return
end
for _,group in pairs(F.allGroups())do
local row=group.row
for _=1,16 do
local segment=row.cursor<queue.tail and F.segmentAt(row.cursor)
if
not segment
or call('ZCOUNT',base .. 'gone',row.cursor,segment.last)<segment.last - row.cursor+1
then
break
end
row.cursor=segment.last+1
row.passed=segment.bytes+F.sizeOf(segment,1,segment.count)
group.changed=true
end
end
if queue.groups==0 then
for _=1,16 do
local segment=F.firstSegment()
if not segment or call('ZCOUNT',base .. 'gone',segment.first,segment.last)<segment.count then
break
end
F.trimBelow(segment.last+1,segment.count)
end
end
end
`

const empty = `F.MESSAGE_KEYS={'log','amend','gone','expiry','reaps','timers','delayed','lapse','early','earlyreap'}
F.OTHER_KEYS={'state','ids','past','holds','places','over'}
function F.unlinkAll(kinds)
for _,kind in ipairs(kinds)do
call('UNLINK',base .. kind)
end
end
function F.readAll()
local isReadable,problem=pcall(function()
F.open()
F.allGroups()
end)
if not isReadable then
local text=type(problem)=='table' and problem.err or problem
local code=string.match(text,'^%-?(%u%u+) ')
if code and code~='WRONGTYPE' then
error(problem)
end
end
return isReadable
end
function F.endMessages()
F.unlinkAll(F.MESSAGE_KEYS)
for key in pairs(queue.ghosts or{})do
call('UNLINK',base .. key)
end
for _,field in ipairs({'delayed','later','amended','gone','reaps','joining','late'})do
queue[field]=0
end
for _,field in ipairs({'timer','behind','ghosts','untidy','early','earlyBytes'})do
queue[field]=nil
end
queueChanged=true
for kind,type in pairs({ids='hash',past='zset'})do
if call('TYPE',base .. kind).ok~=type then
call('UNLINK',base .. kind)
end
end
F.cutIds()
end
function F.endUnread(at)
if #ARGV<at then
return 2
end
for i=at,#ARGV do
call('UNLINK',base .. ARGV[i])
end
redis.pcall('PUBLISH',base .. 'changed','wake')
return 0
end
`

const expire = `function F.expireAhead(message)
for _,group in pairs(F.allGroups())do
if message.seq>=group.row.cursor then
if group.row.parksNext and message.key then
F.stopBehind(group,message)
end
F.bury(group,message,0,'expired',nil,group.row.deadFor)
end
end
F.markGone(message.seq)
end
function F.expireSegment(member,most)
local last=tonumber(member)
local segment=F.segmentAt(last)
local worked,next=0,nil
if segment and segment.last==last then
local amendments=F.amendmentsOf(segment.first,last)
local gone=F.goneIn(segment.first,last)
local expiries=segment.columns and segment.columns.expires or{}
for i=1,segment.count do
local seq=segment.first+i - 1
local amendment=amendments and amendments[seq]
local expires
if amendment then
expires=amendment.expires
else
expires=expiries[i]
end
if expires and not(gone and gone[seq])then
if expires<=now and worked<most then
worked=worked+1
F.expireAhead(amendment or F.messageAt(segment,i))
else
next=next and math.min(next,expires)or expires
end
end
end
end
if next then
call('ZADD',base .. 'expiry',next,member)
else
call('ZREM',base .. 'expiry',member)
queue.reaps=queue.reaps - call('ZREM',base .. 'reaps',member)
end
return worked+(segment and math.ceil(segment.count/32)or 1)
end
function F.sweepFaded(group,most)
if group.row.dead==0 then
return 0
end
local members=call('ZRANGEBYSCORE',F.keyOf(group,'fade'),'-inf',now,'LIMIT',0,most)
for _,member in ipairs(members)do
local _,row=F.letterAt(group,tonumber(member))
if row then
F.dropLetter(group,row)
else
call('ZREM',F.keyOf(group,'fade'),member)
end
end
return #members
end
function F.firstOf(key,soonest)
local time=tonumber(call('ZRANGE',key,0,0,'WITHSCORES')[2])
return time and soonest and math.min(time,soonest)or time or soonest
end
function F.sweepExpired(settled)
if not queue.reap or queue.reap>now then
return 0
end
local left=256
for _,member in ipairs(call('ZRANGEBYSCORE',base .. 'expiry','-inf',now,'LIMIT',0,256))do
if left>0 then
left=left - F.expireSegment(member,left)
end
end
local soonest
local swept,most=0,math.max(1000,2*settled)
for _,group in pairs(F.allGroups())do
local lanes=group.row.lanes
if group.row.waiting+group.row.blocked+(group.row.parked or 0)>0 or lanes and lanes.flows>0 then
local members=left>0
and call('ZRANGEBYSCORE',F.keyOf(group,'reap'),'-inf',now,'LIMIT',0,left)
or{}
for _,member in ipairs(members)do
local seq=tonumber(member)
local place,message=F.locate(group,seq),F.heldMessage(group,seq)
if not place or not message then
F.corrupt('a message')
end
local side=place.side or{}
if group.row.parksNext and message.key then
F.stopBehind(group,message)
end
F.remove(group,place,message)
local reported=side.parked and side.parked.reason or side.error
F.bury(group,message,side.attempt or 0,'expired',reported,group.row.deadFor)
end
left=left - #members
end
if left>0 then
left=left - F.sweepFaded(group,left)
end
soonest=F.firstOf(F.keyOf(group,'fade'),F.firstOf(F.keyOf(group,'reap'),soonest))
if group.row.kept then
swept=swept+F.sweepOutcomes(group,math.max(1,most - swept))
soonest=F.firstOf(F.keyOf(group,'until'),soonest)
end
end
local past=math.min(1000,call('ZCOUNT',base .. 'past','-inf',now))
if past>0 then
call('ZREMRANGEBYRANK',base .. 'past',0,past - 1)
end
queue.reap=F.firstOf(base .. 'past',F.firstOf(base .. 'expiry',soonest))
queueChanged=true
return 2*(256 - left)
end
`

const find = `function F.inLog(number,id)
local segment=F.segmentAt(number)
return segment and F.idAt(segment,number - segment.first+1)==id
end
function F.digitsOf(id)
local digits=#id==36 and string.match(id,'^%x%x%x%x%x%x%x%x$',29)
local made=digits and tonumber(digits,16)
if not made then
return nil
end
local odd=made % 2
local newest=(odd==0 and queue.tail or queue.number)- 1
local number=newest -(newest -(made - odd)/2)% 2147483648
return number>=1 and number,odd
end
function F.seqOf(id)
local number,odd=F.digitsOf(id)
return number and number+odd*281474976710656
end
function F.delayedMessage(number)
local row=call('HGET',base .. 'delayed',F.seqText(number))
return row and cmsgpack.unpack(row)
end
function F.findMade(id)
local number,odd=F.digitsOf(id)
if not number then
return nil
end
if odd==1 then
local message=F.delayedMessage(number)
if message then
return message.id==id and{number=number}or nil
end
number=281474976710656+number
local early=queue.early and F.earlyMessage(number)
if early and early.id==id then
return{seq=number}
end
end
if odd==0 and F.inLog(number,id)then
return{seq=number}
end
for _,group in pairs(F.allGroups())do
local key=F.unjoinedAt(group,number)or F.keyOf(group,'held')
local message=F.messageBy(key,number)
if message and message.id==id then
return{seq=number}
end
end
end
function F.find(id)
local row=call('HGET',base .. 'ids',id)
if row then
return(F.readId(row))
end
return F.findMade(id)
end
`

const group = `function F.newRow(token,cursor,passed)
return{
token=token,
cursor=cursor,
passed=passed,
floor=cursor,
trimmed=cursor,
cleared=passed,
leased=0,
out=0,
waiting=0,
blocked=0,
outside=0,
dead=0,
acked=0,
failed=0,
latest=0,
}
end
F.GROUP_KEYS={
'leases','ends','side','due','parked','named','reap','heads','chain','stops','dead','fade','letters',
'results','until','kept','progress','line','again','rests','lends','flows','lanes','ready','wake',
}
F.SOURCES={'held','handed'}
function F.isSource(key)
if queue.joining>0 then
for _,group in pairs(F.allGroups())do
for _,one in ipairs(group.row.join and group.row.join.keys or{})do
if one==key then
return true
end
end
end
end
return false
end
function F.releaseSource(key)
if F.isSource(key)then
queue.ghosts=queue.ghosts or{}
queue.ghosts[key]=true
else
call('UNLINK',base .. key)
if queue.ghosts then
queue.ghosts[key]=nil
end
end
queueChanged=true
end
function F.endJoin(group)
group.row.join=nil
group.changed=true
queue.joining=queue.joining - 1
F.releaseSource('handed:' .. group.row.token)
for key in pairs(queue.ghosts or{})do
F.releaseSource(key)
end
end
function F.unlinkGroup(group)
for _,kind in ipairs(F.GROUP_KEYS)do
call('UNLINK',F.keyOf(group,kind))
end
F.tally(queue,'kept',-(group.row.kept or 0))
F.tally(queue,'keepers',-(group.row.keepers or 0))
if group.row.since then
queue.late=queue.late - 1
end
if group.row.join then
F.endJoin(group)
end
for _,kind in ipairs(F.SOURCES)do
F.releaseSource(kind .. ':' .. group.row.token)
end
end
function F.partsOf(join,key)
local parts={}
local last=join.lanes or join.bound
for _,part in ipairs(join.parts and join.parts[key] or{{from=0,to=last,redrives=join.redrives}})do
local from,to=math.max(part.from,join.from),math.min(part.to,last)
if from+1<to then
parts[#parts+1]={from=from,to=to,redrives=math.min(part.redrives,join.redrives)}
end
end
return parts
end
function F.addPart(parts,part)
for i=#parts,1,-1 do
local other=parts[i]
if other.from<=part.from and other.to>=part.to and other.redrives>=part.redrives then
return
end
if part.from<=other.from and part.to>=other.to and part.redrives>=other.redrives then
table.remove(parts,i)
end
end
parts[#parts+1]=part
end
function F.joinOf(token,bound)
local keys,seen,parts={'handed:' .. token},{},{}
local function note(key)
local isNew=not seen[key]
seen[key]=true
if
isNew
and(
call('ZCOUNT',base .. key,'-inf',string.format('(%.0f',bound))>0
or queue.laned and call('ZCOUNT',base .. key,string.format('%.0f',281474976710656),'+inf')>0
)
then
keys[#keys+1]=key
return true
end
return false
end
if queue.early then
note('early')
end
for _,group in pairs(F.allGroups())do
note('held:' .. group.row.token)
end
for _,group in pairs(groups)do
local join=group.row.join
for _,key in ipairs(join and join.keys or{})do
if parts[key] or note(key)then
parts[key]=parts[key] or{}
for _,part in ipairs(F.partsOf(join,key))do
F.addPart(parts[key],part)
end
end
end
end
local lanes=queue.laned and 281474976710656+queue.number or nil
return #keys>1 and{from=0,bound=bound,at=now,redrives=queue.redrives or 0,keys=keys,parts=parts,lanes=lanes}
or nil
end
function F.imagineGroup(name,token,from)
local first=F.firstSegment()
local cursor=first and first.first or queue.tail
local row=F.newRow(token,cursor,first and first.bytes or queue.bytes)
if queue.groups>0 then
if from=='latest' then
row=F.newRow(token,queue.tail,queue.bytes)
if F.isOverdue()then
row.since={at=now,number=queue.number}
end
elseif cursor<queue.tail then
row=F.newRow(token,math.max(cursor,F.lowestFloor()),row.passed)
end
end
if queue.early or queue.groups>0 and from~='latest' then
row.join=F.joinOf(token,row.cursor)
end
return{name=name,row=row,changed=false}
end
function F.openGroups(at)
local count=tonumber(ARGV[at])
local names={}
for i=1,count do
names[i]=ARGV[at+3*i - 2]
end
local group=F.open(unpack(names))
for i=1,count do
group=groups[names[i]]
if not group then
group=F.imagineGroup(names[i],ARGV[at+3*i - 1],ARGV[at+3*i])
groups[names[i]]=group
group.changed=true
group.row.born=queue.holds and nonce or nil
if queue.early and queue.groups==0 then
queue.ghosts=queue.ghosts or{}
queue.ghosts.early=true
queue.early,queue.earlyBytes=nil,nil
call('UNLINK',base .. 'earlyreap')
end
queue.groups=queue.groups+1
queue.joining=queue.joining+(group.row.join and 1 or 0)
queue.late=queue.late+(group.row.since and 1 or 0)
queueChanged=true
end
end
return group,at+3*count+1
end
function F.unjoined(group,most)
local join=group.row.join
local bySeq,seqs={},{}
local bound=join.bound
for _,key in ipairs(join.keys)do
local from,taken,size=join.from,0,0
while taken<most do
local each=taken>0 and math.max(1,size/taken)or 4194304/16
local ask=math.min(most - taken,math.ceil((4194304 - size)/each))
if ask<=0 then
break
end
local rows=call('ZRANGEBYSCORE',base .. key,string.format('(%.0f',from),string.format('(%.0f',bound),'LIMIT',0,ask)
for i=1,#rows do
local message=cmsgpack.unpack(rows[i])
if not F.isNumber(message.seq)or message.seq<=from then
F.corrupt('a message')
end
from=message.seq
size=size+#rows[i]
if not bySeq[from] and F.isForJoin(join,key,message)then
bySeq[from]=message
seqs[#seqs+1]=from
end
end
taken=taken+#rows
if #rows<ask then
break
end
end
if taken>=most or size>=4194304 then
bound=math.min(bound,from+1)
end
end
table.sort(seqs)
local messages={}
for i=1,#seqs do
if seqs[i]<bound then
messages[#messages+1]=bySeq[seqs[i]]
end
end
return messages,bound
end
function F.nextWindow(join)
if not join.lanes then
return false
end
join.from,join.bound,join.lanes=281474976710656 - 1,join.lanes,nil
return true
end
function F.takeOver(group)
local messages,bound=F.unjoined(group,500)
local at=group.row.join.at
if messages[1] and messages[1].lane then
F.enterLanes(group,messages)
else
for i=1,#messages do
F.enter(group,messages[i],at)
end
end
group.row.join.from=bound - 1
group.changed=true
if bound>=group.row.join.bound and not F.nextWindow(group.row.join)then
F.endJoin(group)
end
return #messages
end
`

const holds = `function F.placeOf(group,lane)
if not lane then
return group and 'b' .. group or 'a'
end
return group and 'c' .. F.chainOf(group).. lane or 'd' .. lane
end
function F.readPlace(place)
local kind,rest=string.sub(place,1,1),string.sub(place,2)
if kind=='b' then
return rest,nil
elseif kind=='d' then
return nil,rest
elseif kind=='c' then
local length=struct.unpack('>I2',rest)
return string.sub(rest,3,length+2),string.sub(rest,length+3)
end
return nil,nil
end
local holdsRead={}
function F.isFreed(hold,group)
return hold.freed~=nil and hold.freed[group.name]==(group.row.born or 0)
end
function F.readHolds(wanted)
local unread={}
for i=1,#wanted do
if holdsRead[wanted[i]]==nil then
unread[#unread+1]=wanted[i]
end
end
for from=1,#unread,1000 do
local to=math.min(#unread,from+999)
local rows=call('HMGET',base .. 'holds',unpack(unread,from,to))
for i=from,to do
local row=rows[i - from+1]
holdsRead[unread[i]]=row and cmsgpack.unpack(row)or false
end
end
end
function F.holdAt(place)
if not queue.holds then
return nil
end
F.readHolds({place})
return holdsRead[place] or nil
end
function F.standingOf(place,hold,group)
if not hold then
return nil
end
if not hold.probing then
if not(hold.ends and hold.ends<=now)then
return 'held'
end
if not hold.probe then
return nil
end
end
if group then
return not F.isFreed(hold,group)and 'probing' or nil
end
local count=0
local own=F.readPlace(place)
for _,one in pairs(own and{}or F.allGroups())do
count=count+1
if not F.isFreed(hold,one)then
return 'probing'
end
end
return count==0 and 'probing' or nil
end
function F.noteOver()
queue.over=tonumber(call('ZRANGE',base .. 'over',0,0,'WITHSCORES')[2])
end
function F.dropHold(place)
holdsRead[place]=false
call('HDEL',base .. 'holds',place)
call('ZREM',base .. 'over',place)
if call('ZREM',base .. 'places',place)==1 then
queue.holds=queue.holds>1 and queue.holds - 1 or nil
end
F.noteOver()
queueChanged=true
end
function F.putHold(place,hold)
holdsRead[place]=hold
call('HSET',base .. 'holds',place,cmsgpack.pack(hold))
if hold.ends then
call('ZADD',base .. 'over',hold.ends,place)
else
call('ZREM',base .. 'over',place)
end
queue.holds=(queue.holds or 0)+call('ZADD',base .. 'places',0,place)
F.noteOver()
queueChanged=true
end
function F.touchPlace(place)
local name,lane=F.readPlace(place)
if not lane then
return
end
for one,group in pairs(F.allGroups())do
if(not name or name==one)and group.row.lanes and group.row.lanes.flows>0 then
local flow=F.changeFlow(group,lane)
if flow.byLive then
flow.rest,flow.byLive=nil,false
end
end
end
end
function F.startProbing(place,hold)
hold.probe,hold.probing,hold.ends=true,true,nil
hold.freed,hold.out={},{}
F.putHold(place,hold)
F.touchPlace(place)
end
function F.endHold(place)
F.dropHold(place)
F.touchPlace(place)
end
function F.endHoldsOf(name)
if F.holdAt(F.placeOf(name))then
F.dropHold(F.placeOf(name))
end
local prefix=F.placeOf(name,'')
while queue.holds do
local found=call('ZRANGEBYLEX',base .. 'places','[' .. prefix,'(' .. prefix .. '\\255','LIMIT',0,1000)
if #found==0 then
return
end
call('HDEL',base .. 'holds',unpack(found))
call('ZREM',base .. 'over',unpack(found))
call('ZREM',base .. 'places',unpack(found))
queue.holds=queue.holds>#found and queue.holds - #found or nil
F.noteOver()
queueChanged=true
end
end
function F.sweepHolds()
local places=call('ZRANGEBYSCORE',base .. 'over','-inf',now,'LIMIT',0,256)
F.readHolds(places)
for _,place in ipairs(places)do
local hold=F.holdAt(place)
if hold and hold.probe then
F.startProbing(place,hold)
else
F.endHold(place)
end
end
return queue.over and queue.over<=now
end
function F.readLaneHolds(group,names)
local places={}
for i=1,#names do
places[#places+1]=F.placeOf(nil,names[i])
places[#places+1]=F.placeOf(group.name,names[i])
end
F.readHolds(places)
end
function F.heldLanes(group,flows)
local names,held={},{}
for lane in pairs(flows)do
names[#names+1]=lane
end
F.readLaneHolds(group,names)
for _,lane in ipairs(names)do
for _,place in ipairs({F.placeOf(nil,lane),F.placeOf(group.name,lane)})do
if F.standingOf(place,holdsRead[place],group)=='held' then
held[lane]=true
end
end
end
return held
end
function F.hindrances(group,lane)
local ends
local probes={}
if queue.holds then
local places={F.placeOf(nil,lane),F.placeOf(group.name,lane)}
F.readHolds(places)
for _,place in ipairs(places)do
local hold=F.holdAt(place)
local standing=F.standingOf(place,hold,group)
if standing=='held' then
ends=math.max(ends or 0,hold.ends or math.huge)
elseif standing=='probing' then
probes[#probes+1]=place
end
end
end
return ends,probes
end
function F.probeOut(group,probes)
for _,place in ipairs(probes)do
local out=(F.holdAt(place).out or{})[group.name]
if out then
local side=F.sideOf(group,out[1])
if side and side.lease==out[2] then
if side.at>now then
return side.at
end
elseif not side and out[1]<281474976710656 and group.row.leased>group.row.out then
local lease=F.leaseAt(group,out[1])
if lease and lease.number==out[2] and lease.ends>now then
return lease.ends
end
end
end
end
end
function F.noteProbe(group,probes,seq,number)
for _,place in ipairs(probes)do
local hold=F.holdAt(place)
if not hold.probing then
F.startProbing(place,hold)
end
hold.out=hold.out or{}
hold.out[group.name]={seq,number}
F.putHold(place,hold)
end
end
function F.freeProbed(group,lane,number,first,last)
local goes=false
local places={'a',F.placeOf(group.name)}
if lane then
places[3],places[4]=F.placeOf(nil,lane),F.placeOf(group.name,lane)
end
F.readHolds(places)
for _,place in ipairs(places)do
local hold=F.holdAt(place)
local out=hold and hold.probing and hold.out and hold.out[group.name]
if out and out[2]==number and out[1]>=first and out[1]<=last then
hold.freed=hold.freed or{}
hold.freed[group.name]=group.row.born or 0
hold.out[group.name]=nil
if F.readPlace(place)or not F.standingOf(place,hold)then
F.endHold(place)
else
F.putHold(place,hold)
F.touchPlace(place)
end
goes=true
end
end
return goes
end
`

const ids = `function F.idRow(kind,number,own,earlier)
if own>0 or earlier>0 then
return string.format('%s%.0f+%.0f+%.0f',kind,number,own,earlier)
end
return string.format('%s%.0f',kind,number)
end
function F.readId(row)
local kind,number,own,earlier=string.match(row,'^([st])(%d+)%+?(%d*)%+?(%d*)$')
if not kind then
F.corrupt('an id')
end
local found=kind=='s' and{seq=tonumber(number)}or{number=tonumber(number)}
return found,tonumber(own)or 0,tonumber(earlier)or 0
end
function F.remember(id,time)
if time>now then
call('ZADD',base .. 'past','GT',time,id)
F.reapAt(time)
end
end
function F.isRetained(seq)
if queue.groups==0 then
return(queue.early and F.earlyMessage(seq)or F.isPending(seq))and true
end
for _,group in pairs(F.allGroups())do
if F.locate(group,seq)then
return true
end
end
return false
end
function F.forgetIds()
for from=1,#finished,1000 do
local ids,over={},{}
for i=from,math.min(#finished,from+999)do
ids[#ids+1]=finished[i].id
end
local rows=call('HMGET',base .. 'ids',unpack(ids))
for i=1,#ids do
local message=finished[from+i - 1]
if queue.groups==1 or not F.isRetained(message.seq)then
if message.named>0 then
F.remember(message.id,now+message.named)
end
if rows[i] and F.readId(rows[i]).seq==message.seq then
over[#over+1]=message.id
end
end
end
if #over>0 then
call('HDEL',base .. 'ids',unpack(over))
end
end
finished={}
end
function F.cleanIds(count)
local reply=call('HSCAN',base .. 'ids',queue.scan,'COUNT',count)
local over={}
for i=1,#reply[2],2 do
local id,row=reply[2][i],reply[2][i+1]
local isReadable,found,own,earlier=pcall(F.readId,row)
if not isReadable then
found,own,earlier={},0,0
end
local retained=found.seq and F.isRetained(found.seq)
or found.number and call('HEXISTS',base .. 'delayed',F.seqText(found.number))==1
if not retained then
over[#over+1]=id
earlier=math.max(own,earlier)
end
if earlier>0 then
F.remember(id,queue.cut+earlier)
end
end
for from=1,#over,1000 do
call('HDEL',base .. 'ids',unpack(over,from,math.min(#over,from+999)))
end
queue.scan=reply[1]~='0' and reply[1] or nil
queue.cut=queue.scan and queue.cut
queueChanged=true
end
function F.cutIds()
if call('EXISTS',base .. 'ids')==1 then
queue.cut=now
queue.scan='0'
queueChanged=true
end
end
function F.tidy()
if queue.untidy then
queue.untidy=nil
queueChanged=true
local first=F.firstSegment()
F.trimBelow(queue.groups>0 and F.lowestFloor()or first and first.first or queue.tail)
end
if queue.scan then
F.cleanIds(500)
end
end
`

const lanes = `F.LANE_END='\\255'
function F.lanesOf(group)
local row=group.row
if not row.lanes then
row.lanes={flows=0,ahead=0,again=0,lost=0,at=row.served and '' or nil,left=0}
end
return row.lanes
end
function F.packFlow(flow)
return cmsgpack.pack(flow.size,flow.live,flow.ahead,flow.again,flow.full or false,flow.rest or false,flow.wake or false,flow.byLive or false,flow.ready or false,flow.woken or false,flow.waited or false,flow.last or false)
end
function F.unpackFlow(packed)
local size,live,ahead,again,full,rest,wake,byLive,ready,woken,waited,last=cmsgpack.unpack(packed)
if not(F.isNumber(size)and F.isNumber(live)and F.isNumber(ahead)and F.isNumber(again))then
F.corrupt('a lane')
end
return{size=size,live=live,ahead=ahead,again=again,full=full or nil,rest=rest or nil,wake=wake or nil,byLive=byLive,ready=ready,woken=woken,waited=waited,last=last or nil}
end
function F.loadFlows(group,names)
group.flows=group.flows or{}
local wanted={}
for i=1,#names do
if not group.flows[names[i]] then
wanted[#wanted+1]=names[i]
end
end
for from=1,#wanted,1000 do
local to=math.min(#wanted,from+999)
local rows=call('HMGET',F.keyOf(group,'flows'),unpack(wanted,from,to))
for i=from,to do
local packed=rows[i - from+1]
local flow=packed and F.unpackFlow(packed)or{size=0,live=0,ahead=0,again=0,isNew=true}
flow.lane=wanted[i]
group.flows[wanted[i]]=flow
end
end
end
function F.flowOf(group,lane)
if not(group.flows and group.flows[lane])then
F.loadFlows(group,{lane})
end
return group.flows[lane]
end
function F.changeFlow(group,lane)
local flow=F.flowOf(group,lane)
if not group.changedFlows then
group.changedFlows={}
end
group.changedFlows[lane]=flow
group.changed=true
flowsChanged=true
return flow
end
function F.endLive(flow)
flow.live=flow.live - 1
if flow.byLive then
flow.rest,flow.byLive=nil,false
end
end
function F.changeMany(command,key,arguments,step)
for from=1,#arguments,step do
call(command,key,unpack(arguments,from,math.min(#arguments,from+step - 1)))
end
end
function F.finishFlows()
flowsChanged=false
for _,group in pairs(groups)do
F.doDeferred(group)
local changed=group.changedFlows
if changed then
group.changedFlows=nil
local lanes=F.lanesOf(group)
local held=queue.holds and F.heldLanes(group,changed)or{}
local rows,over,named,readied,rested,woken={},{},{},{},{},{}
for lane,flow in pairs(changed)do
if flow.size==0 and not(flow.full and flow.full>now)then
if not flow.isNew then
over[#over+1]=lane
lanes.flows=lanes.flows - 1
if flow.ready then
rested[#rested+1]=lane
end
if flow.wake then
call('ZREM',F.keyOf(group,'wake'),lane)
end
end
group.flows[lane]=nil
else
local hasSomething=flow.ahead+flow.again>0
local rests=flow.rest and flow.rest>now
local ready=hasSomething and not rests and not held[lane]
if ready and not flow.ready then
readied[#readied+1]=0
readied[#readied+1]=lane
elseif flow.ready and not ready then
rested[#rested+1]=lane
end
flow.ready=ready
flow.waited=hasSomething and(flow.waited or rests and not flow.byLive)
local alarm=hasSomething and rests and flow.rest or flow.size==0 and flow.full
if alarm and not(flow.wake and flow.wake<=alarm)then
flow.wake=alarm
woken[#woken+1]=alarm
woken[#woken+1]=lane
end
if flow.isNew then
flow.isNew=nil
lanes.flows=lanes.flows+1
named[#named+1]=0
named[#named+1]=lane
end
rows[#rows+1]=lane
rows[#rows+1]=F.packFlow(flow)
end
end
F.changeMany('HSET',F.keyOf(group,'flows'),rows,1000)
F.changeMany('HDEL',F.keyOf(group,'flows'),over,1000)
F.changeMany('ZREM',F.keyOf(group,'lanes'),over,1000)
F.changeMany('ZADD',F.keyOf(group,'lanes'),named,1000)
F.changeMany('ZADD',F.keyOf(group,'ready'),readied,1000)
F.changeMany('ZREM',F.keyOf(group,'ready'),rested,1000)
F.changeMany('ZADD',F.keyOf(group,'wake'),woken,1000)
end
end
end
function F.againOf(lane,at,seq)
return lane .. F.LANE_END .. F.seqText(at).. F.seqText(seq)
end
function F.waitInLane(group,seq,side)
local flow=F.changeFlow(group,side.lane)
if side.at<=now then
call('ZADD',F.keyOf(group,'again'),0,F.againOf(side.lane,side.at,seq))
flow.again=flow.again+1
F.lanesOf(group).again=F.lanesOf(group).again+1
else
call('ZADD',F.keyOf(group,'rests'),side.at,F.seqText(seq))
end
end
F.DEFERRED={side='HSET',lends='ZADD',line='ZREM',unside='HDEL',unlends='ZREM'}
function F.defer(group,kind,one,two)
group.deferred=group.deferred or{}
local list=group.deferred[kind]
if not list then
list={}
group.deferred[kind]=list
end
list[#list+1]=one
if two then
list[#list+1]=two
end
flowsChanged=true
end
function F.doDeferred(group)
local lists=group.deferred
if lists then
group.deferred=nil
for kind,list in pairs(lists)do
F.changeMany(F.DEFERRED[kind],F.keyOf(group,string.match(kind,'^un(.*)$')or kind),list,1000)
end
end
end
function F.endWaitInLane(group,seq,side)
local flow=F.changeFlow(group,side.lane)
if call('ZREM',F.keyOf(group,'rests'),F.seqText(seq))==0 then
call('ZREM',F.keyOf(group,'again'),F.againOf(side.lane,side.at,seq))
flow.again=flow.again - 1
F.lanesOf(group).again=F.lanesOf(group).again - 1
end
end
function F.endLeaseInLane(group,seq,side)
local flow=F.changeFlow(group,side.lane)
if call('ZREM',F.keyOf(group,'lends'),F.seqText(seq))==0 then
call('ZREM',F.keyOf(group,'again'),F.againOf(side.lane,side.at,seq))
flow.again=flow.again - 1
F.lanesOf(group).lost=F.lanesOf(group).lost - 1
else
F.endLive(flow)
end
end
function F.leaseInLane(group,seq,side,ends,isNew)
local flow=F.changeFlow(group,side.lane)
flow.live=flow.live+1
side.at=ends
if isNew then
F.defer(group,'side',F.seqText(seq),cmsgpack.pack(side))
F.defer(group,'lends',ends,F.seqText(seq))
else
F.putSide(group,seq,side)
call('ZADD',F.keyOf(group,'lends'),ends,F.seqText(seq))
end
end
function F.leaveLine(group,flow,seq)
F.defer(group,'line',flow.lane .. F.LANE_END .. F.seqText(seq))
flow.ahead=flow.ahead - 1
F.lanesOf(group).ahead=F.lanesOf(group).ahead - 1
end
function F.returnToLine(group,seq,lane)
F.doDeferred(group)
local flow=F.changeFlow(group,lane)
call('HDEL',F.keyOf(group,'side'),F.seqText(seq))
call('ZADD',F.keyOf(group,'line'),0,lane .. F.LANE_END .. F.seqText(seq))
flow.ahead=flow.ahead+1
flow.line=nil
F.lanesOf(group).ahead=F.lanesOf(group).ahead+1
end
function F.entriesOf(messages)
local entries={held={},line={},names={},bytes=0}
local held,line,names=entries.held,entries.line,entries.names
for i=1,#messages do
local message=messages[i]
local seq,lane=message.seq,message.lane
held[2*i - 1],held[2*i]=seq,cmsgpack.pack(message)
line[2*i - 1],line[2*i]=0,lane .. F.LANE_END .. F.seqText(seq)
names[i]=lane
entries.bytes=entries.bytes+#message.record
entries.expires=entries.expires or message.expires
end
return entries
end
function F.enterLanes(group,messages,entries)
if #messages==0 then
return
end
entries=entries or F.entriesOf(messages)
F.loadFlows(group,entries.names)
for i=1,#messages do
local flow=F.changeFlow(group,entries.names[i])
flow.size=flow.size+1
flow.ahead=flow.ahead+1
end
for i=1,entries.expires and #messages or 0 do
F.noteReap(group,messages[i])
end
F.changeMany('ZADD',F.keyOf(group,'held'),entries.held,1000)
F.changeMany('ZADD',F.keyOf(group,'line'),entries.line,1000)
local lanes=F.lanesOf(group)
lanes.ahead=lanes.ahead+#messages
group.row.outside=group.row.outside+entries.bytes
group.changed=true
end
function F.sendToLanes(messages,isFor)
if #messages==0 then
return
end
queue.laned=true
queueChanged=true
if queue.groups==0 then
local entries=F.entriesOf(messages)
F.changeMany('ZADD',base .. 'early',entries.held,1000)
for i=1,entries.expires and #messages or 0 do
local message=messages[i]
if message.expires then
call('ZADD',base .. 'earlyreap',message.expires,F.seqText(message.seq))
end
end
queue.early=(queue.early or 0)+#messages
queue.earlyBytes=(queue.earlyBytes or 0)+entries.bytes
return
end
local entries=F.entriesOf(messages)
for _,group in pairs(F.allGroups())do
if isFor and group.row.since then
local own={}
for i=1,#messages do
if isFor(group,i)then
own[#own+1]=messages[i]
end
end
F.enterLanes(group,own)
else
F.enterLanes(group,messages,entries)
end
end
end
function F.earlyMessage(seq)
return F.messageBy(base .. 'early',seq)
end
function F.dropEarly(message)
call('ZREMRANGEBYSCORE',base .. 'early',message.seq,message.seq)
if message.expires then
call('ZREM',base .. 'earlyreap',F.seqText(message.seq))
end
queue.early=queue.early - 1
queue.earlyBytes=queue.earlyBytes - #message.record
queueChanged=true
end
function F.wakeLanes(group)
local most=256
local more=false
local function sweep(kind,each)
local key=F.keyOf(group,kind)
local members=call('ZRANGEBYSCORE',key,'-inf',now,'WITHSCORES','LIMIT',0,most)
if #members==0 then
return
end
local seqs={}
for i=1,#members,2 do
seqs[#seqs+1]=members[i]
end
call('ZREM',key,unpack(seqs))
each(seqs,members)
more=more or #seqs==most
end
local function toAgain(seqs,members,note)
local sides=call('HMGET',F.keyOf(group,'side'),unpack(seqs))
local names,again={},{}
for i=1,#seqs do
local side=sides[i] and cmsgpack.unpack(sides[i])
if not(side and side.lane)then
F.corrupt('a message')
end
sides[i]=side
names[i]=side.lane
end
F.loadFlows(group,names)
for i=1,#seqs do
local side=sides[i]
local flow=F.changeFlow(group,side.lane)
again[#again+1]=0
again[#again+1]=F.againOf(side.lane,side.at,tonumber(seqs[i]))
flow.again=flow.again+1
note(flow,seqs[i],side)
end
call('ZADD',F.keyOf(group,'again'),unpack(again))
end
sweep('rests',function(seqs,members)
toAgain(seqs,members,function()
F.lanesOf(group).again=F.lanesOf(group).again+1
end)
end)
sweep('lends',function(seqs,members)
toAgain(seqs,members,function(flow,seq,side)
F.endLive(flow)
F.lanesOf(group).lost=F.lanesOf(group).lost+1
if side.expires then
call('ZADD',F.keyOf(group,'reap'),side.expires,seq)
F.reapAt(side.expires)
end
end)
end)
sweep('wake',function(names)
F.loadFlows(group,names)
for i=1,#names do
local flow=F.changeFlow(group,names[i])
flow.wake=nil
if flow.rest and flow.rest<=now then
flow.rest,flow.byLive=nil,false
flow.woken=true
end
end
end)
return more
end
`

const leases = `function F.packLease(lease)
return cmsgpack.pack({
lease.first,
lease.last,
lease.ends,
lease.number,
lease.attempt,
lease.named or false,
lease.key or false,
lease.bytes,
})
end
function F.toLease(member)
local parts=F.trust(cmsgpack.unpack(member),{1,2,3,4,5,8})
if parts[1]>parts[2] or parts[2]>=queue.tail then
F.corrupt('a lease')
end
return{
member=member,
first=parts[1],
last=parts[2],
ends=parts[3],
number=parts[4],
attempt=parts[5],
named=parts[6],
key=parts[7] or nil,
bytes=parts[8],
}
end
function F.leaseAt(group,seq)
local member=call('ZRANGEBYSCORE',F.keyOf(group,'leases'),seq,'+inf','LIMIT',0,1)[1]
if not member then
return nil,nil
end
local lease=F.toLease(member)
if lease.last<seq then
F.corrupt('a lease')
end
if lease.first<=seq then
return lease,nil
end
return nil,lease
end
function F.addLease(group,lease)
local member=F.packLease(lease)
call('ZADD',F.keyOf(group,'leases'),lease.last,member)
call('ZADD',F.keyOf(group,'ends'),lease.ends,member)
group.row.leased=group.row.leased+lease.last - lease.first+1
group.changed=true
end
function F.dropLease(group,lease)
call('ZREM',F.keyOf(group,'leases'),lease.member)
call('ZREM',F.keyOf(group,'ends'),lease.member)
group.row.leased=group.row.leased -(lease.last - lease.first+1)
group.changed=true
end
function F.partOf(lease,first,last)
return{
first=first,
last=last,
ends=lease.ends,
number=lease.number,
attempt=lease.attempt,
named=lease.named,
key=lease.key,
bytes=lease.bytes,
}
end
function F.cutLease(group,lease,first,last)
F.dropLease(group,lease)
if first>lease.first then
F.addLease(group,F.partOf(lease,lease.first,first - 1))
end
if last<lease.last then
F.addLease(group,F.partOf(lease,last+1,lease.last))
end
end
`

const log = `local known
function F.toSegment(entry)
local fields=entry[2]
local head=F.trust(cmsgpack.unpack(fields[2]),{1,2,3})
local segment={
first=head[1],
last=tonumber(string.match(entry[1],'^%d+')),
at=head[2],
bytes=head[3],
base=head[4],
blob=fields[4],
columns=fields[6] and cmsgpack.unpack(fields[6]),
}
local count=segment.last - segment.first+1
segment.count=count
local ends=4*count
if count<1 or segment.last>=queue.tail or #segment.blob~=ends+struct.unpack('<I4',segment.blob,ends - 3)then
F.corrupt('an entry of the log')
end
return segment
end
function F.segmentsFrom(seq,count)
return call('XRANGE',base .. 'log',string.format('%.0f-0',seq),'+','COUNT',count)
end
function F.segmentAt(seq)
if known and seq>=known.first and seq<=known.last then
return known
end
local entry=F.segmentsFrom(seq,1)[1]
if entry then
local segment=F.toSegment(entry)
if segment.first<=seq then
known=segment
return segment
end
end
end
function F.firstSegment()
local entry=call('XRANGE',base .. 'log','-','+','COUNT',1)[1]
return entry and F.toSegment(entry)
end
function F.startOf(blob,i)
return i==1 and 0 or struct.unpack('<I4',blob,4*i - 7)
end
function F.recordAt(segment,i)
local blob,ends=segment.blob,4*segment.count
return string.sub(blob,ends+F.startOf(blob,i)+1,ends+F.startOf(blob,i+1))
end
function F.headersOf(record)
local kind=string.byte(record)
if kind and kind>=4 and #record>=5 then
return string.char(4).. string.sub(record,2,5+struct.unpack('<I4',record,2))
end
return '\\0'
end
function F.sizeOf(segment,from,to)
return F.startOf(segment.blob,to+1)- F.startOf(segment.blob,from)
end
function F.makeId(start,number,odd)
return start .. string.format('%08x',(number % 2147483648)*2+odd)
end
function F.idAt(segment,i)
local ids=segment.columns and segment.columns.id
return ids and ids[i] or F.makeId(segment.base,segment.first+i - 1,0)
end
function F.messageAt(segment,i)
local columns=segment.columns
local message={
seq=segment.first+i - 1,
id=F.idAt(segment,i),
at=segment.at,
record=F.recordAt(segment,i),
}
if columns then
message.at=columns.at and columns.at[i] or segment.at
message.key=columns.key and columns.key[i]
message.expires=columns.expires and columns.expires[i]
message.max=columns.max and columns.max[i]
message.named=columns.named and columns.named[i]
message.keep=columns.keep and columns.keep[i]
message.since=columns.since and columns.since[i]
end
return message
end
function F.amendmentOf(seq)
if queue.amended>0 then
local row=call('ZRANGEBYSCORE',base .. 'amend',seq,seq)[1]
return row and cmsgpack.unpack(row)
end
end
function F.amendmentsOf(first,last)
if queue.amended==0 then
return nil
end
local rows=call('ZRANGEBYSCORE',base .. 'amend',first,last)
if #rows==0 then
return nil
end
local amendments={}
for i=1,#rows do
local message=cmsgpack.unpack(rows[i])
amendments[message.seq]=message
end
return amendments
end
function F.amend(message)
local seq=message.seq
local replaced=queue.amended>0 and call('ZREMRANGEBYSCORE',base .. 'amend',seq,seq)or 0
queue.amended=queue.amended+1 - replaced
queueChanged=true
call('ZADD',base .. 'amend',seq,cmsgpack.pack(message))
end
function F.reapAt(time)
if not queue.reap or time<queue.reap then
queue.reap=time
queueChanged=true
end
end
function F.seqText(seq)
return string.format('%016.0f',seq)
end
function F.isGone(seq)
return queue.gone>0 and call('ZSCORE',base .. 'gone',F.seqText(seq))and true
end
function F.countGone(seq)
return queue.gone>0 and call('ZCOUNT',base .. 'gone',seq,'+inf')or 0
end
function F.goneIn(first,last)
if queue.gone==0 then
return nil,0
end
local members=call('ZRANGEBYSCORE',base .. 'gone',first,last)
if #members==0 then
return nil,0
end
local gone={}
for i=1,#members do
gone[tonumber(members[i])]=true
end
return gone,#members
end
function F.markGone(seq)
queue.gone=queue.gone+call('ZADD',base .. 'gone',seq,F.seqText(seq))
queueChanged=true
end
function F.isPending(seq)
return F.segmentAt(seq)and not F.isGone(seq)
end
function F.identityOf(seq)
local amendment=F.amendmentOf(seq)
if amendment then
return(amendment.named or amendment.keep)and amendment
end
local segment=F.segmentAt(seq)
local i=seq - segment.first+1
local columns=segment.columns
if columns and columns.keep and columns.keep[i] then
return F.messageAt(segment,i)
end
local named=columns and columns.named and columns.named[i]
return named and{seq=seq,id=columns.id[i],named=named}
end
function F.logMessage(seq)
local amendment=F.amendmentOf(seq)
if amendment then
return amendment
end
local segment=F.segmentAt(seq)
return segment and F.messageAt(segment,seq - segment.first+1)
end
`

const moves = `function F.domainOf(message)
local key,lane=message.key,message.lane
return key and lane and '\\255' .. struct.pack('>I2',#lane).. lane .. key or key
end
function F.wait(group,seq,side)
F.putSide(group,seq,side)
if side.lane then
F.waitInLane(group,seq,side)
else
call('ZADD',F.keyOf(group,'due'),side.at,F.seqText(seq))
end
group.row.waiting=group.row.waiting+1
group.changed=true
end
function F.endWait(group,seq,side)
if side.lane then
F.endWaitInLane(group,seq,side)
else
call('ZREM',F.keyOf(group,'due'),F.seqText(seq))
end
group.row.waiting=group.row.waiting - 1
end
function F.endLease(group,seq,side)
if side.lane then
F.endLeaseInLane(group,seq,side)
else
call('ZREM',F.keyOf(group,'ends'),F.seqText(seq))
end
group.row.leased=group.row.leased - 1
group.row.out=group.row.out - 1
end
function F.noteReap(group,message)
if message.expires then
call('ZADD',F.keyOf(group,'reap'),message.expires,F.seqText(message.seq))
F.reapAt(message.expires)
end
end
function F.nextInChain(group,key,seq)
local row,prefix=group.row,F.chainOf(key)
local member=row.blocked+(row.parked or 0)>0
and call('ZRANGEBYLEX',F.keyOf(group,'chain'),'(' .. prefix .. F.seqText(seq),'[' .. prefix .. '\\255','LIMIT',0,1)[1]
if member then
return tonumber(string.sub(member,#prefix+1)),member
end
end
function F.free(group,key)
if not key then
return
end
local seq,member=F.nextInChain(group,key,0)
if not seq then
call('HDEL',F.keyOf(group,'heads'),key)
return
end
call('ZREM',F.keyOf(group,'chain'),member)
call('HSET',F.keyOf(group,'heads'),key,F.seqText(seq))
local side=F.sideOf(group,seq)
if side and side.parked then
return
end
group.row.blocked=group.row.blocked - 1
if side and side.lane and side.at==0 then
F.returnToLine(group,seq,side.lane)
return
end
F.wait(group,seq,{at=math.max(now,side and side.at or 0),attempt=0,lane=side and side.lane})
end
function F.block(group,message,at)
F.putHeld(group,message)
F.noteReap(group,message)
F.standBehind(group,message,at)
end
function F.standBehind(group,message,at)
call('ZADD',F.keyOf(group,'chain'),0,F.chainOf(F.domainOf(message)).. F.seqText(message.seq))
if at or message.lane then
F.putSide(group,message.seq,{at=at or 0,blocked=true,lane=message.lane})
end
group.row.blocked=group.row.blocked+1
end
function F.isBusy(group,key)
return call('HEXISTS',F.keyOf(group,'heads'),key)==1
end
function F.staysBehind(group,message)
if group.row.stops and F.isStopped(group,message)then
return true
end
if F.isBusy(group,message.key)then
F.block(group,message)
return true
end
return false
end
function F.enter(group,message,at)
local domain=F.domainOf(message)
if domain and F.isBusy(group,domain)and not(group.row.parked and F.precedes(group,message))then
F.block(group,message,at)
return
end
if domain then
call('HSET',F.keyOf(group,'heads'),domain,F.seqText(message.seq))
end
F.putHeld(group,message)
F.noteReap(group,message)
F.wait(group,message.seq,{at=at,attempt=0,lane=message.lane})
end
function F.remove(group,place,message)
local row,kind,seq=group.row,place.kind,message.seq
group.changed=true
if row.running then
F.dropProgress(group,seq)
end
if kind=='ahead' then
return
end
if kind=='unjoined' then
call('ZREMRANGEBYSCORE',F.keyOf(group,'handed'),seq,seq)
return
end
if kind=='leased' then
F.cutLease(group,place.lease,seq,seq)
F.free(group,place.lease.key)
return
end
F.dropHeld(group,message)
local domain=F.domainOf(message)
if kind=='parked' then
F.dropParked(group,message)
if domain and not F.isHead(group,domain,seq)then
call('ZREM',F.keyOf(group,'chain'),F.chainOf(domain).. F.seqText(seq))
domain=nil
end
F.free(group,domain)
return
end
if kind=='lined' then
F.leaveLine(group,F.changeFlow(group,message.lane),seq)
if domain and call('HGET',F.keyOf(group,'heads'),domain)==F.seqText(seq)then
F.free(group,domain)
end
return
end
if kind=='blocked' then
call('ZREM',F.keyOf(group,'chain'),F.chainOf(domain).. F.seqText(seq))
row.blocked=row.blocked - 1
return
end
if kind=='held' then
F.endLease(group,seq,place.side)
else
F.endWait(group,seq,place.side)
end
F.free(group,domain)
end
local finished={}
function F.done(message)
if message.named then
finished[#finished+1]=message
end
end
function F.tallyKeepers(group,by)
F.tally(group.row,'keepers',by)
F.tally(queue,'keepers',by)
group.changed,queueChanged=true,true
end
function F.bury(group,message,attempt,reason,reported,deadFor)
local row=group.row
local letter={message=message,attempt=attempt,reason=reason,error=reported,at=clock,fence=nonce}
if deadFor then
letter.ends=now+deadFor
call('ZADD',F.keyOf(group,'fade'),letter.ends,F.seqText(message.seq))
F.reapAt(letter.ends)
end
if message.named then
call('ZADD',F.keyOf(group,'letters'),0,F.chainOf(message.id).. F.seqText(message.seq))
end
call('ZADD',F.keyOf(group,'dead'),message.seq,cmsgpack.pack(letter))
row.dead=row.dead+1
row.failed=row.failed+1
group.changed=true
if message.keep then
F.tallyKeepers(group,1)
F.conclude(group,message,attempt,{status='dead',reason=reason,error=reported})
end
F.done(message)
end
function F.letterAt(group,seq)
local row=call('ZRANGEBYSCORE',F.keyOf(group,'dead'),seq,seq)[1]
local letter=row and cmsgpack.unpack(row)
if letter and not(letter.ends and letter.ends<=now)then
return letter,row
end
return nil,row
end
function F.dropLetter(group,row)
local letter=cmsgpack.unpack(row)
local message=letter.message
call('ZREM',F.keyOf(group,'dead'),row)
if letter.ends then
call('ZREM',F.keyOf(group,'fade'),F.seqText(message.seq))
end
if message.named then
call('ZREM',F.keyOf(group,'letters'),F.chainOf(message.id).. F.seqText(message.seq))
end
if message.keep then
F.tallyKeepers(group,-1)
end
local domain=group.row.stops and F.domainOf(message)
if domain and call('HGET',F.keyOf(group,'stops'),domain)==F.seqText(message.seq)then
F.endStop(group,domain)
end
group.row.dead=group.row.dead - 1
group.changed=true
end
`

const outcomes = `function F.conclude(group,message,attempt,outcome)
concluded=concluded or{}
local all=concluded[group] or{}
concluded[group]=all
outcome.seq,outcome.id,outcome.key,outcome.lane=message.seq,message.id,message.key,message.lane
outcome.at,outcome.max,outcome.attempt=message.at,message.max,attempt
outcome.ended,outcome.ends=clock,now+message.keep
all[#all+1]={outcome,message.named}
end
function F.untilMember(seq,id)
return F.seqText(seq)..(id or '')
end
function F.keepOutcomes()
local names={}
for group,all in pairs(concluded)do
for from=1,#all,500 do
local to=math.min(#all,from+500 - 1)
local ids,results,times,kept,seqs={},{},{},{},{}
for i=from,to do
ids[#ids+1]=all[i][1].id
end
local rows=call('HMGET',base .. 'ids',unpack(ids))
local others=group.row.kept and call('HMGET',F.keyOf(group,'kept'),unpack(ids))or{}
for i=from,to do
local outcome,named=all[i][1],all[i][2]
local row,other=rows[i - from+1],others[i - from+1]
local isLast=not row and not other
if named then
isLast=row and F.readId(row).seq==outcome.seq and(not other or tonumber(other)==outcome.seq)
end
if isLast then
results[#results+1]=outcome.seq
results[#results+1]=cmsgpack.pack(outcome)
times[#times+1]=outcome.ends
times[#times+1]=F.untilMember(outcome.seq,named and outcome.id)
if named then
kept[#kept+1]=outcome.id
kept[#kept+1]=F.seqText(outcome.seq)
end
names[#names+1]=outcome.id
F.reapAt(outcome.ends)
elseif outcome.status=='dead' then
F.supersede(group,outcome.seq)
end
seqs[#seqs+1]=F.seqText(outcome.seq)
end
if #results>0 then
call('ZADD',F.keyOf(group,'results'),unpack(results))
call('ZADD',F.keyOf(group,'until'),unpack(times))
F.tally(group.row,'kept',#results/2)
F.tally(queue,'kept',#results/2)
end
if #kept>0 then
call('HSET',F.keyOf(group,'kept'),unpack(kept))
end
if group.row.running then
F.tally(group.row,'running',-call('HDEL',F.keyOf(group,'progress'),unpack(seqs)))
end
end
group.changed,queueChanged=true,true
end
if #names>0 then
told=#names>64 and '"many"' or cjson.encode(names)
end
concluded=nil
end
function F.sweepOutcomes(group,most)
local members=call('ZRANGEBYSCORE',F.keyOf(group,'until'),'-inf',now,'LIMIT',0,most)
if #members==0 then
return 0
end
call('ZREMRANGEBYRANK',F.keyOf(group,'until'),0,#members - 1)
local seqs,ids={},{}
for i=1,#members do
seqs[i]=tonumber(string.sub(members[i],1,16))
if #members[i]>16 then
ids[#ids+1]=string.sub(members[i],17)
end
end
table.sort(seqs)
local from=1
for i=1,#seqs do
if seqs[i+1]~=seqs[i]+1 then
call('ZREMRANGEBYSCORE',F.keyOf(group,'results'),seqs[from],seqs[i])
from=i+1
end
end
for first=1,#ids,1000 do
call('HDEL',F.keyOf(group,'kept'),unpack(ids,first,math.min(#ids,first+999)))
end
F.tally(group.row,'kept',-#members)
F.tally(queue,'kept',-#members)
group.changed,queueChanged=true,true
return #members
end
function F.outcomeAt(group,seq)
local row=call('ZRANGEBYSCORE',F.keyOf(group,'results'),seq,seq)[1]
return row and cmsgpack.unpack(row)
end
function F.dropOutcome(group,seq)
local outcome=F.outcomeAt(group,seq)
if not outcome then
return
end
local member=F.untilMember(seq,outcome.id)
call('ZREMRANGEBYSCORE',F.keyOf(group,'results'),seq,seq)
call('ZREM',F.keyOf(group,'until'),F.seqText(seq),member)
if call('HGET',F.keyOf(group,'kept'),outcome.id)==F.seqText(seq)then
call('HDEL',F.keyOf(group,'kept'),outcome.id)
end
F.tally(group.row,'kept',-1)
F.tally(queue,'kept',-1)
group.changed,queueChanged=true,true
end
function F.supersede(group,seq)
local letter,row=F.letterAt(group,seq)
if letter and letter.message.keep then
letter.message.keep=nil
F.tallyKeepers(group,-1)
call('ZREM',F.keyOf(group,'dead'),row)
call('ZADD',F.keyOf(group,'dead'),seq,cmsgpack.pack(letter))
end
end
function F.supersedeAll(group,id,made)
local prefix=F.chainOf(id)
for _,member in ipairs(call('ZRANGEBYLEX',F.keyOf(group,'letters'),'[' .. prefix,'[' .. prefix .. '\\255'))do
F.supersede(group,tonumber(string.sub(member,#prefix+1)))
end
local letter=made and F.letterAt(group,made)
if letter and letter.message.id==id then
F.supersede(group,made)
end
end
function F.forgetOutcomes(ids)
for _,group in pairs(F.allGroups())do
local row=group.row
for from=1,(row.kept or row.keepers)and #ids or 0,1000 do
local to=math.min(#ids,from+999)
local found=row.kept and call('HMGET',F.keyOf(group,'kept'),unpack(ids,from,to))or{}
for i=from,to do
local id,made=ids[i],F.seqOf(ids[i])
local seq=tonumber(found[i - from+1])or made
local outcome=row.kept and seq and F.outcomeAt(group,seq)
if outcome and outcome.id==id then
F.dropOutcome(group,seq)
end
if row.keepers then
F.supersedeAll(group,id,made)
end
end
end
end
end
function F.outcomeOf(group,id)
local seq=tonumber(call('HGET',F.keyOf(group,'kept'),id))or F.seqOf(id)
local outcome=seq and F.outcomeAt(group,seq)
return outcome and outcome.id==id and outcome.ends>now and outcome or nil
end
function F.detailsOf(outcome)
if outcome.status=='done' then
return{'done',outcome.ended,outcome.value or ''}
end
return{'dead',outcome.ended,outcome.reason,outcome.error or ''}
end
function F.noteProgress(group,message,number,value)
if message.keep then
local row=cmsgpack.pack({number,value,clock})
F.tally(group.row,'running',call('HSET',F.keyOf(group,'progress'),F.seqText(message.seq),row))
end
end
function F.dropProgress(group,seq)
F.tally(group.row,'running',-call('HDEL',F.keyOf(group,'progress'),F.seqText(seq)))
group.changed=true
end
function F.progressOf(group,seq,number)
local row=call('HGET',F.keyOf(group,'progress'),F.seqText(seq))
local progress=row and cmsgpack.unpack(row)
if progress and progress[1]==number then
return{progress[3],progress[2]}
end
end
`

const parked = `function F.isHead(group,key,seq)
return call('HGET',F.keyOf(group,'heads'),key)==F.seqText(seq)
end
function F.putParked(group,message,side)
local seq=message.seq
F.putSide(group,seq,side)
call('ZADD',F.keyOf(group,'parked'),seq,F.seqText(seq))
if message.named then
call('ZADD',F.keyOf(group,'named'),0,F.chainOf(message.id).. F.seqText(seq))
end
F.tally(group.row,'parked',1)
group.changed=true
end
function F.dropParked(group,message)
call('ZREM',F.keyOf(group,'parked'),F.seqText(message.seq))
if message.named then
call('ZREM',F.keyOf(group,'named'),F.chainOf(message.id).. F.seqText(message.seq))
end
F.tally(group.row,'parked',-1)
group.changed=true
end
function F.park(group,message,side)
F.noteReap(group,message)
F.putParked(group,message,side)
local key=F.domainOf(message)
if key and group.row.blocked>0 then
call('ZADD',F.keyOf(group,'chain'),0,F.chainOf(key).. F.seqText(message.seq))
F.free(group,key)
end
end
function F.putBehind(group,seq,lane)
if lane then
F.putSide(group,seq,{at=0,blocked=true,lane=lane})
else
call('HDEL',F.keyOf(group,'side'),F.seqText(seq))
end
group.row.blocked=group.row.blocked+1
end
function F.parkedOf(group,id,found)
local seqs={}
local prefix=F.chainOf(id)
for _,member in ipairs(call('ZRANGEBYLEX',F.keyOf(group,'named'),'[' .. prefix,'(' .. prefix .. '\\255'))do
local seq=tonumber(string.sub(member,#prefix+1))
if seq~=found then
table.insert(seqs,1,seq)
end
end
if found then
table.insert(seqs,1,found)
end
return seqs
end
function F.unpark(group,message)
local seq,key,lane=message.seq,F.domainOf(message),message.lane
F.dropParked(group,message)
if key and not F.isHead(group,key,seq)then
F.putBehind(group,seq,lane)
else
F.wait(group,seq,{at=now,attempt=0,lane=lane})
end
end
F.BEHIND='sbehind a dead letter'
function F.parkBehind(group,message,letter)
F.putParked(group,message,{attempt=0,parked={reason=F.BEHIND,at=clock,letter=letter}})
end
function F.letGo(group,message)
local key=F.domainOf(message)
local head=tonumber(call('HGET',F.keyOf(group,'heads'),key))
local seq=head and head>message.seq and head or F.nextInChain(group,key,message.seq)
local side=seq and F.sideOf(group,seq)
if side and side.parked and side.parked.letter==message.seq then
F.dropParked(group,F.heldMessage(group,seq))
F.putBehind(group,seq,message.lane)
if seq==head then
call('ZADD',F.keyOf(group,'chain'),0,F.chainOf(key).. F.seqText(seq))
call('HDEL',F.keyOf(group,'heads'),key)
end
end
end
function F.stopBehind(group,message)
local key=F.domainOf(message)
local seq=F.nextInChain(group,key,message.seq)
if not seq then
local before=group.row.stops and tonumber(call('HGET',F.keyOf(group,'stops'),key))
if not(before and before<message.seq and F.letterAt(group,before))then
F.tally(group.row,'stops',call('HSET',F.keyOf(group,'stops'),key,F.seqText(message.seq)))
end
return
end
local side=F.sideOf(group,seq)
if not(side and side.parked)then
group.row.blocked=group.row.blocked - 1
F.parkBehind(group,F.heldMessage(group,seq),message.seq)
end
end
function F.endStop(group,key)
F.tally(group.row,'stops',-call('HDEL',F.keyOf(group,'stops'),key))
group.changed=true
end
function F.isStopped(group,message)
local key,seq=F.domainOf(message),message.seq
local letter=tonumber(call('HGET',F.keyOf(group,'stops'),key))
if not letter or letter>seq then
return false
end
F.endStop(group,key)
if not F.letterAt(group,letter)then
return false
end
if not message.lane then
F.putHeld(group,message)
F.noteReap(group,message)
end
F.parkBehind(group,message,letter)
if message.lane and F.isHead(group,key,seq)then
return true
end
call('ZADD',F.keyOf(group,'chain'),0,F.chainOf(key).. F.seqText(seq))
if not F.isBusy(group,key)then
F.free(group,key)
end
return true
end
function F.precedes(group,message)
local key=F.domainOf(message)
local head=call('HGET',F.keyOf(group,'heads'),key)
local seq=head and tonumber(head)
local side=seq and seq>message.seq and F.sideOf(group,seq)
if side and side.parked then
call('ZADD',F.keyOf(group,'chain'),0,F.chainOf(key).. head)
return true
end
return false
end
`

const places = `function F.sideOf(group,seq)
local row=call('HGET',F.keyOf(group,'side'),F.seqText(seq))
return row and cmsgpack.unpack(row)
end
function F.putSide(group,seq,side)
call('HSET',F.keyOf(group,'side'),F.seqText(seq),cmsgpack.pack(side))
end
function F.messageBy(key,seq)
local row=call('ZRANGEBYSCORE',key,seq,seq)[1]
return row and cmsgpack.unpack(row)
end
function F.heldMessage(group,seq)
return F.messageBy(F.keyOf(group,'held'),seq)
end
function F.heldAt(group,seq)
local message,side=F.heldMessage(group,seq),F.sideOf(group,seq)
if not message or message.seq~=seq or type(message.record)~='string' or not F.isNumber(side and side.attempt)then
F.corrupt('a message')
end
return message,side
end
function F.putHeld(group,message)
call('ZADD',F.keyOf(group,'held'),message.seq,cmsgpack.pack(message))
group.row.outside=group.row.outside+#message.record
group.changed=true
if message.lane then
local flow=F.changeFlow(group,message.lane)
flow.size=flow.size+1
end
end
local handing=true
function F.isSkipped(join,message)
return message.redriven and message.redriven>join.redrives
end
function F.awaits(join,seq)
return seq>join.from and seq<join.bound or join.lanes and seq>=281474976710656 and seq<join.lanes
end
function F.handOver(group,message)
for _,other in pairs(F.allGroups())do
local join=other.row.join
if join and other~=group and F.awaits(join,message.seq)and not F.isSkipped(join,message)then
local key=F.keyOf(other,'handed')
if call('ZCOUNT',key,message.seq,message.seq)==0 then
call('ZADD',key,message.seq,cmsgpack.pack(message))
end
end
end
end
function F.dropHeld(group,message)
if queue.joining>0 and handing then
F.handOver(group,message)
end
local seq=message.seq
call('ZREMRANGEBYSCORE',F.keyOf(group,'held'),seq,seq)
call('HDEL',F.keyOf(group,'side'),F.seqText(seq))
if message.expires then
call('ZREM',F.keyOf(group,'reap'),F.seqText(seq))
end
group.row.outside=group.row.outside - #message.record
group.changed=true
if message.lane then
local flow=F.changeFlow(group,message.lane)
flow.size=flow.size - 1
end
end
function F.isForJoin(join,key,message)
if F.isSkipped(join,message)then
return false
end
local parts=join.parts and join.parts[key]
for _,part in ipairs(parts or{})do
if message.seq>part.from and message.seq<part.to and not F.isSkipped(part,message)then
return true
end
end
return not parts
end
function F.unjoinedAt(group,seq)
local join=group.row.join
if join and F.awaits(join,seq)then
for _,key in ipairs(join.keys)do
local message=F.messageBy(base .. key,seq)
if message and F.isForJoin(join,key,message)then
return base .. key
end
end
end
end
function F.skipJoining(message)
message.redriven=nil
if queue.joining>0 then
F.tally(queue,'redrives',1)
message.redriven=queue.redrives
queueChanged=true
end
end
function F.placeIn(side)
return{kind=side.parked and 'parked' or side.blocked and 'blocked' or side.lease and 'held' or 'waiting',side=side}
end
function F.locate(group,seq)
local row=group.row
if seq>=281474976710656 then
local side=row.lanes and row.lanes.flows>0 and F.sideOf(group,seq)
if side then
return F.placeIn(side)
end
if row.lanes and call('ZCOUNT',F.keyOf(group,'held'),seq,seq)>0 then
return{kind='lined'}
end
local key=F.unjoinedAt(group,seq)
return key and{kind='unjoined',key=key}or nil
end
if row.leased+row.waiting+row.blocked+(row.parked or 0)>0 then
local side=F.sideOf(group,seq)
if side then
return F.placeIn(side)
end
if row.blocked>0 and call('ZCOUNT',F.keyOf(group,'held'),seq,seq)>0 then
return{kind='blocked'}
end
local lease=row.leased>row.out and F.leaseAt(group,seq)
if lease then
return{kind='leased',lease=lease}
end
end
if seq>=row.cursor and not F.isGone(seq)then
return{kind='ahead'}
end
local key=F.unjoinedAt(group,seq)
if key then
return{kind='unjoined',key=key}
end
end
function F.messageIn(group,place,seq)
if place.kind=='ahead' or place.kind=='leased' then
return F.logMessage(seq)
end
return F.messageBy(place.key or F.keyOf(group,'held'),seq)
end
function F.chainOf(key)
return struct.pack('>I2',#key).. key
end
`

const rows = `local state=KEYS[1]
local nonce,clock,marks=string.match(ARGV[1],'^(%d+) ?([%d.]*)(%a*)$')
nonce,clock=tonumber(nonce),tonumber(clock)
if marks~='' then
for i=2,#ARGV do
if string.find(ARGV[i],'\\239',1,true)then
local text=string.gsub(ARGV[i],'\\239\\158([\\128-\\191])','%1')
ARGV[i]=string.gsub(text,'\\239\\159([\\128-\\191])',function(byte)
return string.char(string.byte(byte)+64)
end)
end
end
if string.find(marks,'e',1,true)then
local info=redis.pcall('INFO','memory')
local policy=type(info)=='string' and string.match(info,'maxmemory_policy:(allkeys[%a-]*)')
if policy and not string.find(info,'maxmemory:0\\r',1,true)then
return redis.error_reply('EVICTS ' .. policy)
end
end
end
if clock==nil then
local time=redis.call('TIME')
clock=time[1]*1000+math.floor(time[2]/1000)
end
local allLoaded=false
local groups={}
local queueChanged=false
local concluded,told
local flowsChanged=false
local now=clock
local queue
local base=string.sub(state,1,-6)
local call=redis.call
local F={}
local loadRest
setmetatable(F,{
__index=function(_,name)
local load=loadRest
loadRest=nil
if load then
load()
end
return rawget(F,name)
end,
})
function F.keyOf(group,kind)
return base .. kind .. ':' .. group.row.token
end
function F.corrupt(what)
error(what .. ' is not as it was written')
end
function F.isNumber(value)
return type(value)=='number' and value>-1e15 and value<1e15
end
function F.trust(row,fields)
for i=1,#fields do
local value=row[fields[i]]
if not(value>-1e15 and value<1e15)then
F.corrupt(fields[i])
end
end
return row
end
F.QUEUE_NUMBERS={'tail','bytes','sent','delayed','later','number','amended','gone','reaps','groups','joining','late','latest','skew'}
F.RARE={'behind','cut','scan','ghosts','untidy','kept','laned','early','earlyBytes','holds','over','redrives','keepers'}
F.RARE_IN_GROUPS={'join','since','parksNext','parked','stops','kept','keepers','running','lanes','born'}
function F.rareOf(row,names)
local rare=false
for i=1,#names do
local value=row[names[i]]
if value~=nil then
rare=rare or{}
rare[names[i]]=value
end
end
return rare
end
function F.tally(row,name,by)
local count=(row[name] or 0)+by
row[name]=count~=0 and count or nil
end
function F.packQueue()
local rare=F.rareOf(queue,F.RARE)
local q=queue
return cmsgpack.pack(q.tail,q.bytes,q.sent,q.delayed,q.later,q.number,q.amended,q.gone,q.reaps,q.groups,q.joining,q.late,q.latest,q.skew,q.timer or false,q.reap or false,rare)
end
function F.unpackQueue(packed)
local tail,bytes,sent,delayed,later,number,amended,gone,reaps,count,joining,late,latest,skew,timer,reap,rare=cmsgpack.unpack(packed)
queue={tail=tail,bytes=bytes,sent=sent,delayed=delayed,later=later,number=number,amended=amended,gone=gone,reaps=reaps,groups=count,joining=joining,late=late,latest=latest,skew=skew,timer=timer or nil,reap=reap or nil}
F.trust(queue,F.QUEUE_NUMBERS)
for key,value in pairs(rare or{})do
queue[key]=value
end
if queue.delayed>0 then
F.trust(queue,{'timer'})
end
end
F.GROUP_NUMBERS={'cursor','passed','floor','trimmed','cleared','leased','out','waiting','blocked','outside','dead','acked','failed','latest'}
function F.packGroup(row)
local rare=F.rareOf(row,F.RARE_IN_GROUPS)
return cmsgpack.pack(row.token,row.cursor,row.passed,row.floor,row.trimmed,row.cleared,row.leased,row.out,row.waiting,row.blocked,row.outside,row.dead,row.acked,row.failed,row.latest,row.deadFor or false,rare,row.served or false)
end
function F.addGroup(name,packed)
local token,cursor,passed,floor,trimmed,cleared,leased,out,waiting,blocked,outside,dead,acked,failed,latest,deadFor,rare,served=cmsgpack.unpack(packed)
local row={token=token,cursor=cursor,passed=passed,floor=floor,trimmed=trimmed,cleared=cleared,leased=leased,out=out,waiting=waiting,blocked=blocked,outside=outside,dead=dead,acked=acked,failed=failed,latest=latest,deadFor=deadFor or nil,served=served}
F.trust(row,F.GROUP_NUMBERS)
if row.cursor>queue.tail or type(row.token)~='string' then
F.corrupt('a group')
end
if rare then
for key,value in pairs(rare)do
row[key]=value
end
row.join=row.join and F.trust(row.join,{'from','bound','at','redrives'})
row.since=row.since and F.trust(row.since,{'at','number'})
row.lanes=row.lanes and F.trust(row.lanes,{'flows','ahead','again','lost','left'})
end
local group={name=name,row=row,changed=false}
groups[name]=group
return group
end
function F.open(...)
local names={...}
local fields={'queue'}
for i=1,#names do
fields[i+1]='group:' .. names[i]
end
local rows=call('HMGET',state,unpack(fields))
if rows[1] then
F.unpackQueue(rows[1])
else
queue={}
for i=1,#F.QUEUE_NUMBERS do
queue[F.QUEUE_NUMBERS[i]]=0
end
queue.tail,queue.number=1,1
end
local latest=queue.latest
local last
for i=1,#names do
last=groups[names[i]] or rows[i+1] and F.addGroup(names[i],rows[i+1])
if last and last.row.latest>latest then
latest=last.row.latest
end
end
now=clock+queue.skew
if now<latest - 1000 then
queue.skew=latest - clock
queueChanged=true
now=latest
end
return last or nil
end
function F.allGroups()
if not allLoaded then
allLoaded=true
local loaded=0
for _ in pairs(groups)do
loaded=loaded+1
end
if loaded<queue.groups then
local rows=call('HGETALL',state)
for i=1,#rows,2 do
local name=string.match(rows[i],'^group:(.*)$')
if name and not groups[name] then
F.addGroup(name,rows[i+1])
end
end
end
end
return groups
end
function F.floorOf(group)
local row=group.row
if row.leased>row.out then
local first=call('ZRANGE',F.keyOf(group,'leases'),0,0)[1]
if first then
local lease=cmsgpack.unpack(first)
return math.min(lease[1],row.cursor),lease[8]
end
end
return row.cursor,row.passed
end
function F.lowestFloor()
local lowest=queue.tail
for _,group in pairs(F.allGroups())do
local floor=group.changed and F.floorOf(group)or group.row.floor
if floor<lowest then
lowest=floor
end
end
return lowest
end
function F.trimSet(kind,below)
local count=call('ZCOUNT',base .. kind,'-inf',below)
if count>5000 then
count=5000
queue.untidy=true
end
if count>0 then
call('ZREMRANGEBYRANK',base .. kind,0,count - 1)
queueChanged=true
end
return count
end
function F.trimBelow(floor,span)
local id=string.format('%.0f',floor)
if
span and span<200000
or call('XTRIM',base .. 'log','MINID','~',id,'LIMIT',200000)<200000/2
then
call('XTRIM',base .. 'log','MINID',id)
else
queue.untidy=true
queueChanged=true
end
local below='(' .. id
if queue.amended>0 then
queue.amended=queue.amended - F.trimSet('amend',below)
end
if queue.gone>0 then
queue.gone=queue.gone - F.trimSet('gone',below)
end
if queue.reaps>0 then
local ended=call('ZRANGEBYSCORE',base .. 'reaps','-inf',below,'LIMIT',0,5000)
if #ended>0 then
call('ZREM',base .. 'expiry',unpack(ended))
queue.reaps=queue.reaps - F.trimSet('reaps',below)
end
end
end
function F.finish(wakes)
if flowsChanged then
F.finishFlows()
end
local fields={}
for name,group in pairs(groups)do
if group.changed then
local row=group.row
local floor,cleared=F.floorOf(group)
row.floor=floor
if
floor~=row.trimmed
and(floor - row.trimmed>=64 or floor>=queue.tail or cleared - row.cleared>=1048576)
then
if queue.groups>1 then
F.trimBelow(F.lowestFloor())
else
F.trimBelow(floor,floor - row.trimmed)
end
row.trimmed=floor
row.cleared=cleared
end
if now>row.latest then
row.latest=now
end
fields[#fields+1]='group:' .. name
fields[#fields+1]=F.packGroup(row)
end
end
if queueChanged then
if now>queue.latest then
queue.latest=now
end
fields[#fields+1]='queue'
fields[#fields+1]=F.packQueue()
end
if #fields>0 then
call('HSET',state,unpack(fields))
if wakes~=nil or told then
redis.pcall('PUBLISH',base .. 'changed',(wakes and 'wake' or 'news')..(told or ''))
end
end
end
`

const settling = `local settledWakes=false
F.OPERANDS={a=5,v=5,b=6,r=8,k=9,p=7,e=7}
function F.settleDead(group,kind,fence,seq,delay)
local letter,row=F.letterAt(group,seq)
if not letter or letter.fence~=fence or kind~='r' and kind~='b' then
return false
end
F.dropLetter(group,row)
if kind=='r' then
local message=letter.message
if message.keep and group.row.kept then
F.dropOutcome(group,seq)
end
message.expires=nil
F.skipJoining(message)
if group.row.parked and message.key then
F.letGo(group,message)
end
if message.named then
local ids=base .. 'ids'
call('HSETNX',ids,message.id,F.idRow('s',seq,message.named,0))
if message.keep and F.readId(call('HGET',ids,message.id)).seq~=seq then
message.keep=nil
end
end
F.enter(group,message,now+delay)
end
return true
end
function F.intoHeld(group,side,lease,message)
local row,seq=group.row,message.seq
if row.running then
F.dropProgress(group,seq)
end
if side then
F.endLease(group,seq,side)
else
F.cutLease(group,lease,seq,seq)
F.putHeld(group,message)
end
end
function F.optional(at)
return at and ARGV[at]~='' and ARGV[at] or nil
end
function F.settleOne(group,kind,number,seq,at)
local row=group.row
local side=row.out>0 and F.sideOf(group,seq)
local lease
if not side or side.lease~=number then
side=nil
lease=row.leased>row.out and F.leaseAt(group,seq)
if not lease or lease.number~=number then
return false
end
end
local attempt=(side or lease).attempt
if kind=='e' then
local ends=now+tonumber(ARGV[at])
local progress=F.optional(at+1)
if progress then
F.noteProgress(group,side and F.heldMessage(group,seq)or F.logMessage(seq),number,progress)
end
if side and side.lane then
F.endLeaseInLane(group,seq,side)
F.leaseInLane(group,seq,side,ends)
if side.expires then
call('ZREM',F.keyOf(group,'reap'),F.seqText(seq))
end
elseif side then
call('ZADD',F.keyOf(group,'ends'),ends,F.seqText(seq))
side.at=ends
F.putSide(group,seq,side)
else
F.cutLease(group,lease,seq,seq)
local extended=F.partOf(lease,seq,seq)
extended.ends=ends
F.addLease(group,extended)
end
group.changed=true
return true
end
local message=side and F.heldMessage(group,seq)or F.logMessage(seq)
if kind=='r' then
local due=now+tonumber(ARGV[at])
if not message.expires or message.expires>due then
local counts=ARGV[at+1]=='1'
F.intoHeld(group,side,lease,message)
F.noteReap(group,message)
if counts then
row.failed=row.failed+1
end
F.wait(group,seq,{at=due,attempt=counts and attempt or attempt - 1,error=F.optional(at+2),lane=message.lane})
return true
end
elseif kind=='p' and(not message.expires or message.expires>now)then
F.intoHeld(group,side,lease,message)
F.park(group,message,{attempt=attempt,parked={reason=ARGV[at],data=F.optional(at+1),at=clock}})
return true
end
local parksNext=row.parksNext
if kind=='k' then
parksNext=ARGV[at+3]=='1'
end
if parksNext and kind~='b' and message.key then
F.stopBehind(group,message)
end
F.remove(group,side and{kind='held',side=side}or{kind='leased',lease=lease},message)
if kind=='b' then
if queue.holds then
F.freeProbed(group,message.lane,number,seq,seq)
end
row.acked=row.acked+1
if message.keep then
F.conclude(group,message,attempt,{status='done',value=F.optional(at)})
end
F.done(message)
elseif kind=='k' then
F.bury(group,message,attempt,ARGV[at],F.optional(at+1),tonumber(ARGV[at+2]))
else
F.bury(group,message,attempt,'expired',kind=='p' and ARGV[at] or F.optional(at+2))
end
return true
end
function F.ackStretch(group,number,first,last,results,values)
local seq=first
while seq<=last do
local lease,after=F.leaseAt(group,seq)
local to=last
if lease and lease.number==number then
to=math.min(last,lease.last)
F.cutLease(group,lease,seq,to)
if queue.holds and F.freeProbed(group,nil,number,seq,to)then
settledWakes=true
end
group.row.acked=group.row.acked+to - seq+1
if lease.key then
F.free(group,lease.key)
settledWakes=true
end
if lease.named then
for one=seq,to do
local message=F.identityOf(one)
if message then
if message.keep then
F.conclude(group,message,lease.attempt,{status='done',value=F.optional(values and values+one)})
end
F.done(message)
end
end
end
results[#results+1]=string.rep('1',to - seq+1)
else
if lease or after then
to=math.min(last,lease and lease.last or after.first - 1)
end
if group.row.out>0 then
for one=seq,to do
local settled=F.settleOne(group,'b',number,one,values and values+one)
settledWakes=settledWakes or settled
results[#results+1]=settled and '1' or '0'
end
else
results[#results+1]=string.rep('0',to - seq+1)
end
end
seq=to+1
end
end
function F.ackInLanes(group,at,results)
local token,row=group.row.token,group.row
local numbers,seqs,members,values,names={},{},{},{},{}
while #seqs<1000 and ARGV[at]=='b' and ARGV[at+1]==token do
local seq=tonumber(ARGV[at+3])
if seq<281474976710656 or ARGV[at+4]=='d' then
break
end
numbers[#numbers+1]=tonumber(ARGV[at+2])
seqs[#seqs+1]=seq
members[#members+1]=F.seqText(seq)
values[#values+1]=at+5
at=at+F.OPERANDS.b
end
local sides,met=call('HMGET',F.keyOf(group,'side'),unpack(members)),{}
for i=1,#seqs do
if sides[i] then
sides[i]=cmsgpack.unpack(sides[i])
names[#names+1]=sides[i].lane
end
end
F.loadFlows(group,names)
if queue.holds then
F.readLaneHolds(group,names)
end
local first,last
local function forget()
if first then
call('ZREMRANGEBYSCORE',F.keyOf(group,'held'),first,last)
end
end
for i=1,#seqs do
local side,seq,settled=sides[i],seqs[i],false
if side and side.lease==numbers[i] and not met[seq] then
met[seq]=true
settled=true
if side.size and side.at>now and queue.joining==0 then
if queue.holds then
F.freeProbed(group,side.lane,numbers[i],seq,seq)
end
local flow=F.changeFlow(group,side.lane)
flow.size=flow.size - 1
F.endLive(flow)
row.outside=row.outside - side.size
row.leased,row.out,row.acked=row.leased - 1,row.out - 1,row.acked+1
F.defer(group,'unlends',members[i])
F.defer(group,'unside',members[i])
if first and seq==last+1 then
last=seq
else
forget()
first,last=seq,seq
end
else
settled=F.settleOne(group,'b',numbers[i],seq,values[i])
end
end
settledWakes=settledWakes or settled
results[#results+1]=settled and '1' or '0'
end
forget()
F.doDeferred(group)
return at
end
function F.settleAll(group,at)
local results={}
while at<=#ARGV do
local kind,token,number,seq=ARGV[at],ARGV[at+1],tonumber(ARGV[at+2]),tonumber(ARGV[at+3])
local isOurs=group and group.row.token==token
local width=F.OPERANDS[kind]
if kind=='b' and isOurs and seq>=281474976710656 and ARGV[at+4]~='d' then
at,width=F.ackInLanes(group,at,results),0
elseif kind=='a' or kind=='v' then
local last=tonumber(ARGV[at+4])
local count=last - seq+1
if isOurs then
F.ackStretch(group,number,seq,last,results,kind=='v' and at+5 - seq)
else
results[#results+1]=string.rep('0',count)
end
if kind=='v' then
at=at+count
end
else
local where=ARGV[at+4]
local settled=isOurs
and(
where=='d' and F.settleDead(group,kind,number,seq,tonumber(ARGV[at+5]))
or where~='d' and F.settleOne(group,kind,number,seq,at+5)
)
settledWakes=settledWakes or(settled and kind~='e')
results[#results+1]=settled and '1' or '0'
end
at=at+width
end
return table.concat(results)
end
function F.unpin(group)
local row=group.row
if row.cursor - row.trimmed<=1024 and row.passed - row.cleared<=1048576 then
return
end
local left,size=128,0
while left>0 and size<1048576 and row.leased>row.out do
local first=call('ZRANGE',F.keyOf(group,'leases'),0,0)[1]
if not first then
F.corrupt('a lease')
end
local lease=F.toLease(first)
local span=row.cursor - lease.first
local there=row.leased - row.out
local over=span - there
if
not(span>1024 and over>there)
and not(row.passed - lease.bytes>1048576 and over>there/8)
then
return
end
local seq=lease.first
F.dropLease(group,lease)
while seq<=lease.last and left>0 and size<1048576 do
local message=F.logMessage(seq)
F.putHeld(group,message)
F.putSide(group,seq,{lease=lease.number,at=lease.ends,attempt=lease.attempt})
call('ZADD',F.keyOf(group,'ends'),lease.ends,F.seqText(seq))
row.leased=row.leased+1
row.out=row.out+1
size=size+#message.record
left=left - 1
seq=seq+1
end
if seq<=lease.last then
F.addLease(group,F.partOf(lease,seq,lease.last))
end
end
end
`

const show = `function F.showHold(place,hold)
local standing=F.standingOf(place,hold)
if not standing then
return nil
end
local name,lane=F.readPlace(place)
return{
name and 'n' .. name or '',
lane and 'n' .. lane or '',
hold.reason or '',
hold.since,
standing=='held' and hold.ends and math.ceil(hold.ends - now)or -1,
hold.probe and 1 or 0,
standing=='probing' and 1 or 0,
}
end
function F.showHolds()
local shown={}
if queue.holds then
local places=call('ZRANGE',base .. 'places',0,100 - 1)
F.readHolds(places)
for _,place in ipairs(places)do
shown[#shown+1]=F.showHold(place,F.holdAt(place))
end
end
return shown
end
`

const store = `function F.noteExpiry(last,time)
local member=F.seqText(last)
if call('ZADD',base .. 'expiry','LT',time,member)==1 then
call('ZADD',base .. 'reaps',last,member)
queue.reaps=queue.reaps+1
queueChanged=true
end
F.reapAt(time)
end
function F.addSegment(count,blob,columns,at,start)
local tail=queue.tail
local last=tail+count - 1
local head=cmsgpack.pack({tail,at,queue.bytes,start})
local id=string.format('%.0f-0',last)
if columns then
call('XADD',base .. 'log',id,'h',head,'b',blob,'c',cmsgpack.pack(columns))
if columns.expires then
local first
for _,time in pairs(columns.expires)do
first=first and math.min(first,time)or time
end
F.noteExpiry(last,first)
end
else
call('XADD',base .. 'log',id,'h',head,'b',blob)
end
queue.tail=tail+count
queue.bytes=queue.bytes+#blob - 4*count
queueChanged=true
end
F.COLUMNS={'id','key','expires','max','named','at','keep','since'}
function F.columnsOf(messages,first,last)
local columns
for _,column in ipairs(F.COLUMNS)do
for i=first,last do
local value=messages[i][column]
if value~=nil then
columns=columns or{}
columns[column]=columns[column] or{}
columns[column][i - first+1]=value
end
end
end
return columns
end
function F.addMessages(messages,at,start)
local from=1
while from<=#messages do
local ends,records,size,to={},{},0,from
while to<=#messages and to - from<256 do
local record=messages[to].record
if to>from and size+#record>65536 then
break
end
size=size+#record
ends[#ends+1]=struct.pack('<I4',size)
records[#records+1]=record
to=to+1
end
F.addSegment(to - from,table.concat(ends).. table.concat(records),F.columnsOf(messages,from,to - 1),at,start)
from=to
end
end
function F.isOverdue()
return queue.timer and queue.timer<=now
end
function F.isSince(group,at,number)
local since=group.row.since
return since and at<=since.at and number<since.number
end
function F.passSince(tail,due,laned)
for _,group in pairs(F.allGroups())do
local row=group.row
local since=row.since
if since then
local passed,looked=0,0
while 2*looked<#due and F.isSince(group,tonumber(due[2*looked+2]),tonumber(due[2*looked+1]))do
looked=looked+1
passed=passed+(laned[looked] and 0 or 1)
end
if row.cursor==tail then
row.cursor=tail+passed
end
if 2*looked<#due or not queue.timer or queue.timer>since.at then
row.since=nil
queue.late=queue.late - 1
end
group.changed=true
end
end
end
function F.sweepDelayed(most)
if not F.isOverdue()then
return 0
end
local due=call('ZRANGEBYSCORE',base .. 'timers','-inf',now,'WITHSCORES','LIMIT',0,most)
local messages,names,members,size={},{},{},0
local lapses,laned={},{}
while 2*#messages<#due and size<8388608 do
local each=#messages>0 and math.max(1,size/#messages)or 8388608/16
local to=math.min(#due/2,#messages+math.ceil((8388608 - size)/each))
local wanted={}
for i=#messages+1,to do
wanted[#wanted+1]=due[2*i - 1]
end
local rows=call('HMGET',base .. 'delayed',unpack(wanted))
for i=1,#rows do
local message=cmsgpack.unpack(rows[i])
size=size+#message.record
members[#members+1]=wanted[i]
names[#names+1]=message.id
messages[#messages+1]=message
laned[#messages]=message.lane~=nil
if message.expires then
lapses[#lapses+1]=wanted[i]
end
end
end
local tail=queue.tail
if #messages>0 then
local rows=call('HMGET',base .. 'ids',unpack(names))
local ids,plain,ofLanes,places={},{},{},{}
for i=1,#names do
local seq
if laned[i] then
seq=281474976710656+queue.number
queue.number=queue.number+1
messages[i].seq=seq
ofLanes[#ofLanes+1]=messages[i]
places[#places+1]=i
else
seq=tail+#plain
plain[#plain+1]=messages[i]
end
ids[2*i - 1]=names[i]
ids[2*i]=string.format('s%.0f',seq)..(rows[i] and string.match(rows[i],'%+.*$')or '')
end
call('HSET',base .. 'ids',unpack(ids))
call('ZREM',base .. 'timers',unpack(members))
call('HDEL',base .. 'delayed',unpack(members))
if #lapses>0 then
call('ZREM',base .. 'lapse',unpack(lapses))
end
F.addMessages(plain,clock,'')
if #ofLanes>0 then
F.sendToLanes(ofLanes,function(group,i)
return not F.isSince(group,tonumber(due[2*places[i]]),tonumber(due[2*places[i] - 1]))
end)
end
queue.delayed=queue.delayed - #messages
queue.later=queue.later - size
for i=2*#messages+1,#due do
due[i]=nil
end
end
queue.timer=tonumber(call('ZRANGE',base .. 'timers',0,0,'WITHSCORES')[2])
queueChanged=true
if queue.late>0 then
F.passSince(tail,due,laned)
end
return #messages
end
`

const turns = `function F.limitsOf(lane)
local rules=asked.rules or{}
local found={}
local function add(limits)
for _,field in ipairs({'concurrency','rate','weight'})do
if found[field]==nil then
found[field]=limits[field]
end
end
end
add(rules.names and rules.names[lane] or{})
for _,entry in ipairs(rules.prefixes or{})do
if string.sub(lane,1,#entry[1])==entry[1] then
add(entry[2])
end
end
add(rules)
return found
end
local visited={}
local stopped=false
function F.lookAt(flow)
if flow.limits then
return
end
visited[#visited+1]=flow
F.changeFlow(group,flow.lane)
flow.limits=F.limitsOf(flow.lane)
local rate=flow.limits.rate
if rate then
flow.each=rate.perMs/rate.count
flow.spare=((rate.burst or rate.count)- 1)*flow.each
if flow.woken and flow.full then
flow.full=math.min(flow.full,now+flow.spare+flow.each)
end
end
flow.woken=false
flow.heldFor,flow.probes=F.hindrances(group,flow.lane)
flow.isOut=#flow.probes>0 and F.probeOut(group,flow.probes)~=nil
end
function F.isAtRest(flow)
return flow.each and flow.full and flow.full - flow.spare>now
end
function F.isFullLane(flow)
return flow.isOut or flow.limits.concurrency and flow.live>=flow.limits.concurrency
end
function F.restLanes()
for _,flow in ipairs(visited)do
if F.isAtRest(flow)then
flow.rest,flow.byLive=math.min(flow.full - flow.spare,now+60000),false
elseif F.isFullLane(flow)then
flow.rest,flow.byLive=now+60000,true
else
flow.rest,flow.byLive=nil,false
end
end
end
function F.rangeOf(lane)
return '[' .. lane .. F.LANE_END,'(' .. lane .. F.LANE_END .. '\\255'
end
function F.nextInLine(flow,share)
local line=flow.line
if not line or flow.place==#line then
if line then
F.doDeferred(group)
end
local from,to=F.rangeOf(flow.lane)
line=call('ZRANGEBYLEX',F.keyOf(group,'line'),from,to,'LIMIT',0,math.max(1,math.min(share,256)))
if #line==0 then
F.corrupt('a lane')
end
flow.line,flow.place=line,0
end
flow.place=flow.place+1
return tonumber(string.sub(line[flow.place],-16))
end
function F.takeAgain(flow)
local from,to=F.rangeOf(flow.lane)
local member=call('ZRANGEBYLEX',F.keyOf(group,'again'),from,to,'LIMIT',0,1)[1]
if not member then
F.corrupt('a lane')
end
local seq=tonumber(string.sub(member,-16))
local message,side=F.heldAt(group,seq)
if not side.lease then
F.endWait(group,seq,side)
return take(message,side.attempt,true,F.domainOf(message),side.error)
end
F.endLease(group,seq,side)
local failed=row.failed+1
local leased=take(message,side.attempt,true,F.domainOf(message),LEASE_LOST)
row.failed=failed
return leased
end
function F.staysInLane(message,domain)
if row.stops and F.isStopped(group,message)then
return true
end
if F.isBusy(group,domain)and not F.isHead(group,domain,message.seq)then
F.standBehind(group,message)
return true
end
return false
end
function F.takeFirst(flow,share)
local seq=F.nextInLine(flow,share)
if row.join and seq>row.join.from then
flow.isLate=true
return false
end
local message=F.heldMessage(group,seq)
if not message then
F.corrupt('a message')
end
F.leaveLine(group,flow,seq)
local domain=F.domainOf(message)
if domain and verdict(message,0)then
domain=F.isHead(group,domain,seq)and domain or nil
elseif domain and F.staysInLane(message,domain)then
looked=looked+1
blocked=blocked+(taken>0 and 1 or 0)
return false
elseif domain then
call('HSET',F.keyOf(group,'heads'),domain,F.seqText(seq))
end
return take(message,0,true,domain)
end
function F.takeOne(flow,share)
while flow.again+flow.ahead>0 do
if looked>=1024 or blocked>=256 then
stopped=true
return false
end
local isAgain=flow.again>0 and(flow.ahead==0 or flow.isLate or flow.last~='again')
if flow.isLate and not isAgain then
return false
end
local leased
if isAgain then
leased=F.takeAgain(flow)
else
leased=F.takeFirst(flow,share)
end
if leased then
flow.last=isAgain and 'again' or 'first'
return true
end
end
return false
end
function F.giveTurn(flow,most,share)
local given=0
while given<most and room()>0 do
if flow.heldFor or F.isAtRest(flow)or F.isFullLane(flow)or not F.takeOne(flow,share)then
return given,not stopped
end
given=given+1
if flow.each then
flow.full=math.max(flow.full or 0,flow.waited and now - flow.each or now)+flow.each
end
flow.waited=false
if #flow.probes>0 then
F.noteProbe(group,flow.probes,lastTaken,nonce)
flow.isOut=true
end
end
return given,flow.again+flow.ahead==0
end
function F.roundFrom(at)
if onlySome then
local from,to='[' .. asked.only,'(' .. asked.only .. '\\255'
if at and string.sub(at,1,#asked.only)==asked.only then
return{{'(' .. at,to},{from,'[' .. at}}
end
return{{from,to}}
end
if not at then
return{'',{'-','+'}}
elseif at=='' then
return{{'-','+'},''}
end
return{{'(' .. at,'+'},'',{'-','[' .. at}}
end
function F.isReady(lane)
return call('ZSCORE',F.keyOf(group,'ready'),lane)
end
function F.namesFrom(at)
local page,place={},0
local stretches,number
if asked.names then
local scores=#asked.names>0 and call('ZMSCORE',F.keyOf(group,'ready'),unpack(asked.names))or{}
for i=1,#asked.names do
if scores[i] then
page[#page+1]=asked.names[i]
end
end
stretches,number={},1
else
stretches,number=F.roundFrom(at),1
end
return function()
while place==#page do
local stretch=stretches[number]
if not stretch then
return nil
end
if stretch=='' then
number=number+1
return ''
end
page,place=call('ZRANGEBYLEX',F.keyOf(group,'ready'),stretch[1],stretch[2],'LIMIT',0,64),0
if #page==0 then
number=number+1
else
stretch[1]='(' .. page[#page]
F.loadFlows(group,page)
if queue.holds then
F.readLaneHolds(group,page)
end
end
end
place=place+1
return page[place]
end
end
function F.takeInTurns()
local turns=onlySome and{at=asked.at,left=asked.left or 0}or F.lanesOf(group)
local isUsed=row.lanes and row.lanes.flows>0
local ready=isUsed and math.max(1,call('ZCARD',F.keyOf(group,'ready')))or 1
local share=math.ceil(room()/ready)
local function visit(lane,most)
local given,over
if lane=='' then
local before,hadMore=taken,more
cap,more=taken+1,false
takePlain()
most,given,over=1,taken - before,taken==before
stopped=over and(more or room()>0 and row.cursor<queue.tail)
cap,more=math.huge,more or hadMore
else
local flow=F.flowOf(group,lane)
F.lookAt(flow)
most=most or flow.limits.weight or 1
given,over=F.giveTurn(flow,most,math.max(share,most))
end
if given>0 then
turns.at,turns.left=lane,over and 0 or most - given
else
looked=looked+1
end
return not over
end
local function mayGoOn()
local isMuch=stopped or looked>=1024 or taken>=500
more=more or isMuch
return room()>0 and not isMuch
end
if isUsed or not onlySome then
if turns.at and turns.left>0 and mayGoOn()and F.isReady(turns.at)then
visit(turns.at,turns.left)
end
local ring={}
local nextName=F.namesFrom(turns.at)
while mayGoOn()do
local lane=nextName()
if not lane then
break
end
if visit(lane)then
ring[#ring+1]=lane
end
end
while #ring>0 and mayGoOn()do
local others={}
if #ring==1 and ring[1]=='' then
if takePlain()then
turns.at,turns.left='',0
end
else
for i=1,#ring do
if mayGoOn()and visit(ring[i])then
others[#others+1]=ring[i]
end
end
end
ring=others
end
F.restLanes()
end
if onlySome then
reply[5]=turns.at and string.format('%.0f.%s',turns.left,turns.at)or 'none'
end
end
function F.isLeft()
if not(row.lanes and row.lanes.flows>0)then
return false
end
if not onlySome then
return call('ZCARD',F.keyOf(group,'ready'))>0
end
return F.namesFrom()()~=nil
end
`

/** One script: its text, and the digest by which the server knows it. */
export interface Script {
  readonly sha: string
  readonly text: string
}

export const SCRIPTS: Readonly<Record<'append' | 'cancel' | 'claim' | 'deleteGroup' | 'delete' | 'hold' | 'lanes' | 'list' | 'purge' | 'release' | 'results' | 'resume' | 'retryNow' | 'settle' | 'stats' | 'tidy', Script>> = {
  append: {
    sha: 'ed69a33c35f5883b21a02b99013e741f3631d62d',
    text: `#!lua

` + rows + log + store + `local start,more,mostMessages,mostBytes=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
local at=7
if ARGV[6]=='0' then
F.open()
if more=='' and not queue.scan and not queue.untidy and not mostMessages and not mostBytes and not(queue.laned and F.isOverdue())then
F.sweepDelayed(500)
if not F.isOverdue()then
local firstSeq=queue.tail
for i=at,#ARGV,2 do
local count=tonumber(ARGV[i])
queue.sent=queue.sent+count
F.addSegment(count,ARGV[i+1],nil,clock,start)
end
F.finish(true)
return{'',firstSeq,queue.number}
end
end
end
` + leases + places + moves + ids + find + drop + group + counts + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
if ARGV[6]~='0' then
local _
_,at=F.openGroups(6)
end
local function stored(spec,record,id)
return{
id=id,
key=spec.key,
lane=spec.lane,
expires=spec.expiresInMs and now+spec.expiresInMs,
max=spec.maxAttempts,
named=id and(spec.dedupeMs or 0),
keep=spec.keepMs,
record=record,
}
end
local function delayOf(spec,old)
local delay=spec.delayMs or 0
if spec.maxDelayMs and delay>0 then
delay=math.max(0,math.min(delay,spec.maxDelayMs,(old.since or old.at)+spec.maxDelayMs - clock))
end
return delay
end
local function replaceDelayed(message,number)
local member,old=F.seqText(number),F.delayedMessage(number)
queue.later=queue.later+#message.record - #old.record
queueChanged=true
call('HSET',base .. 'delayed',member,cmsgpack.pack(message))
call('ZREM',base .. 'lapse',member)
if message.expires then
call('ZADD',base .. 'lapse',message.expires,member)
end
call('HSET',base .. 'ids',message.id,F.idRow('t',number,message.named,0))
end
local function replace(message,seq)
local places={}
for _,group in pairs(F.allGroups())do
places[group]=F.locate(group,seq)
end
message.seq=seq
local segment=F.segmentAt(seq)
if segment then
F.amend(message)
if message.expires then
F.noteExpiry(segment.last,message.expires)
end
end
local function put(key)
call('ZREMRANGEBYSCORE',key,seq,seq)
call('ZADD',key,seq,cmsgpack.pack(message))
end
for group,place in pairs(places)do
if place.kind=='waiting' or place.kind=='blocked' or place.kind=='parked' or place.kind=='lined' then
local old=F.heldMessage(group,seq)
group.row.outside=group.row.outside+#message.record - #old.record
group.changed=true
put(F.keyOf(group,'held'))
call('ZREM',F.keyOf(group,'reap'),F.seqText(seq))
F.noteReap(group,message)
if place.kind=='waiting' then
F.putSide(group,seq,{at=place.side.at,attempt=0,lane=place.side.lane})
elseif place.kind=='parked' then
F.unpark(group,message)
end
elseif place.kind=='unjoined' then
for _,key in ipairs(group.row.join.keys)do
if call('ZCOUNT',base .. key,seq,seq)>0 then
put(base .. key)
end
end
end
end
local early=queue.early and F.earlyMessage(seq)
if early then
F.dropEarly(early)
F.sendToLanes({message})
end
call('HSET',base .. 'ids',message.id,F.idRow('s',seq,message.named,0))
end
local function isElsewhere(message,spec)
return message.key~=spec.key or message.lane~=spec.lane
end
local rowOf,pastOf={},{}
local function lookUp(ids)
for from=1,#ids,1000 do
local to=math.min(#ids,from+999)
local rows=call('HMGET',base .. 'ids',unpack(ids,from,to))
local past=call('ZMSCORE',base .. 'past',unpack(ids,from,to))
for i=from,to do
rowOf[ids[i]]=rows[i - from+1]
pastOf[ids[i]]=past[i - from+1] and tonumber(past[i - from+1])
end
end
end
local function meet(spec)
local id=spec.id
local row=rowOf[id]
local found,own,earlier=nil,0,0
if row then
found,own,earlier=F.readId(row)
else
found=F.findMade(id)
end
local past=not spec.replace and pastOf[id] and pastOf[id]>now
if found and found.number then
local member=F.seqText(found.number)
local due=tonumber(call('ZSCORE',base .. 'timers',member))
if due then
if not spec.replace then
return 'd'
end
local old=F.delayedMessage(found.number)
local delay=delayOf(spec,old)
local moves=due>now or delay>0 or isElsewhere(old,spec)
return moves and 'S' or 'r',{delay=delay,since=old.since or old.at}
end
elseif found then
local seq=found.seq
local places,all,retained={},true,false
for _,group in pairs(F.allGroups())do
local place=F.locate(group,seq)
places[group]=place
retained=retained or place~=nil
all=all and place~=nil and place.kind~='leased' and place.kind~='held'
end
if queue.groups==0 then
retained=queue.early and F.earlyMessage(seq)or F.isPending(seq)
end
if retained then
if not spec.replace then
return 'd'
end
if not all then
return 's',{earlier=math.max(own,earlier)}
end
local present=queue.early and F.earlyMessage(seq)or F.logMessage(seq)
for group,place in pairs(places)do
if place.kind~='ahead' then
present=F.messageIn(group,place,seq)
end
end
local delay=delayOf(spec,present)
local moves=delay>0 or isElsewhere(present,spec)
return moves and 'S' or 'r',{delay=delay,since=present.since or present.at}
end
end
if row then
local time=(queue.cut or now)+math.max(own,earlier)
if time>now then
return not spec.replace and 'd' or 's',{time=time}
end
end
return past and 'd' or 's'
end
local specs=more~='' and cjson.decode(more)
local records,marks,known,met={},{},{},{}
for i=at,#ARGV,2 do
local segment={count=tonumber(ARGV[i]),blob=ARGV[i+1]}
for place=1,segment.count do
records[#records+1]=F.recordAt(segment,place)
end
end
local named={}
for _,spec in ipairs(specs or{})do
if spec~=0 and spec.id then
named[#named+1]=spec.id
end
end
lookUp(named)
local messages,bytes=0,0
for i=1,#records do
local spec=specs and specs[i] or 0
local mark='s'
if spec~=0 and spec.id then
if met[spec.id] then
mark='d'
else
mark,known[i]=meet(spec)
end
met[spec.id]=true
end
if mark=='s' then
messages=messages+1
bytes=bytes+#records[i]
end
marks[i]=mark
end
if(mostMessages or mostBytes)and messages>0 then
local there,size=F.countRetained(mostMessages and mostMessages - messages),F.bytesRetained()
if mostMessages and there+messages>mostMessages then
return{'q','maxMessages',there,messages}
end
if mostBytes and size+bytes>mostBytes then
return{'q','maxBytes',size,bytes}
end
end
F.tidy()
F.sweepDelayed(math.min(4*500,500+#records))
local isBehind=F.isOverdue()
local firstSeq,firstNumber=queue.tail,queue.number
local added,ids,names,rows,timers,lapses,laned={},{},{},{},{},{},{}
for i=1,#records do
local spec=specs and specs[i] or 0
local mark,about=marks[i],known[i] or{}
if spec==0 and not isBehind then
added[#added+1]={record=records[i]}
elseif mark=='s' or mark=='S' then
if spec==0 then
spec={}
end
if about.time then
F.remember(spec.id,about.time)
end
if mark=='S' then
F.drop(spec.id,F.find(spec.id))
end
if spec.id then
names[#names+1]=spec.id
end
local message=stored(spec,records[i],spec.id)
queue.laned=queue.laned or message.lane~=nil or nil
local delay=about.delay or spec.delayMs or 0
message.since=about.since
if delay>0 or isBehind then
local number=queue.number
local member=F.seqText(number)
local due=now+delay
if delay==0 then
due=math.max(now,queue.behind or 0)
queue.behind=due
end
message.at=clock
if not message.id then
message.id,message.named=F.makeId(start,number,1),0
else
ids[#ids+1]=message.id
ids[#ids+1]=F.idRow('t',number,message.named,about.earlier or 0)
end
rows[#rows+1]=member
rows[#rows+1]=cmsgpack.pack(message)
timers[#timers+1]=due
timers[#timers+1]=member
if not queue.timer or due<queue.timer then
queue.timer=due
end
if message.expires then
lapses[#lapses+1]=message.expires
lapses[#lapses+1]=member
end
queue.number=number+1
queue.delayed=queue.delayed+1
queue.later=queue.later+#message.record
queue.sent=queue.sent+1
marks[i]=mark=='s' and 'l' or 'L'
elseif spec.lane then
local number=queue.number
message.seq,message.at=281474976710656+number,clock
if not message.id then
message.id=F.makeId(start,number,1)
else
ids[#ids+1]=message.id
ids[#ids+1]=F.idRow('s',message.seq,message.named,about.earlier or 0)
end
laned[#laned+1]=message
queue.number=number+1
queue.sent=queue.sent+1
marks[i]=mark=='s' and 'l' or 'L'
else
added[#added+1]=message
if spec.id then
ids[#ids+1]=spec.id
ids[#ids+1]=F.idRow('s',queue.tail+#added - 1,message.named,about.earlier or 0)
end
end
elseif mark=='r' then
local message=stored(spec,records[i],spec.id)
local found=F.find(spec.id)
message.at,message.since=clock,about.since
if found.number then
replaceDelayed(message,found.number)
else
replace(message,found.seq)
end
end
end
local function putAll(command,kind,arguments)
for from=1,#arguments,1000 do
call(command,base .. kind,unpack(arguments,from,math.min(#arguments,from+999)))
end
end
putAll('HSET','ids',ids)
putAll('HSET','delayed',rows)
putAll('ZADD','timers',timers)
putAll('ZADD','lapse',lapses)
if queue.kept or queue.keepers then
F.forgetOutcomes(names)
end
queue.sent=queue.sent+#added
queueChanged=true
F.addMessages(added,clock,start)
if #laned>0 then
F.sendToLanes(laned)
end
F.finish(true)
return{table.concat(marks),firstSeq,firstNumber}
`,
  },
  cancel: {
    sha: 'ab4b8e25549af4c09e73c951e9984f4cece6f246',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + drop + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
F.open()
local results={}
for i=2,#ARGV do
local found=F.find(ARGV[i])
results[#results+1]=found and F.drop(ARGV[i],found)and '1' or '0'
end
F.passGone()
F.finish(true)
return table.concat(results)
`,
  },
  claim: {
    sha: 'f43377e602da23bbfed55ab90eb6e863dfe4121f',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + expire + group + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local LEASE_LOST='sthe lease ended before the delivery was settled'
local limit,leaseMs,maxAttempts=math.min(tonumber(ARGV[2]),10000),tonumber(ARGV[3]),tonumber(ARGV[4])
local group,rest=F.openGroups(8)
local row=group.row
row.deadFor=tonumber(ARGV[5])
row.parksNext=ARGV[6]=='1' or nil
local asked=ARGV[7]~='' and cjson.decode(ARGV[7])or{}
local onlySome=asked.only~=nil or asked.names~=nil
local settled=F.settleAll(group,rest)
if queue.scan or queue.untidy then
F.tidy()
end
local looked,more=F.sweepExpired(#settled),false
if queue.reap and queue.reap<=now then
more=true
end
if row.join then
local isFirst=row.join.lanes~=nil
local took=F.takeOver(group)
if isFirst and row.join and not row.join.lanes and took<500/2 then
took=took+F.takeOver(group)
end
looked=looked+took
end
if queue.over and queue.over<=now and F.sweepHolds()then
more=true
end
if(queue.laned or onlySome)and F.sweepDelayed(500)>0 and F.isOverdue()then
more=true
end
local lanes=row.lanes
if lanes and lanes.flows>0 and F.wakeLanes(group)then
more=true
end
if flowsChanged then
F.finishFlows()
end
local ends=now+leaseMs
local reply={row.token,nonce,-1,settled,''}
local taken,bytes=0,0
group.changed=true
local heldFor,probes=nil,{}
if queue.holds then
heldFor,probes=F.hindrances(group)
end
local probeEnds=#probes>0 and F.probeOut(group,probes)
if heldFor or probeEnds then
limit=0
elseif #probes>0 then
limit=math.min(limit,1)
end
local cap=math.huge
local lastTaken
local function room()
if bytes>=8388608 or row.join and row.join.bound<281474976710656 then
return 0
end
return math.min(limit,cap)- taken
end
local stretch
local before=0
local function flush()
if stretch then
F.addLease(group,stretch)
stretch=nil
end
end
local function lease(first,last,attempt,named,key)
if stretch and not key and stretch.last==first - 1 and stretch.attempt==attempt then
stretch.last=last
stretch.named=stretch.named or named
return
end
flush()
stretch={first=first,last=last,ends=ends,number=nonce,attempt=attempt,named=named,key=key,bytes=before}
if key then
flush()
end
end
local function verdict(message,attempt)
if message.expires and message.expires<=now then
return 'expired'
end
if attempt>=(message.max or maxAttempts)then
return 'exhausted'
end
end
local function take(message,attempt,held,key,reported)
local seq=message.seq
local reason=verdict(message,attempt)
if reason then
looked=looked+2
if held then
F.dropHeld(group,message)
end
if row.parksNext and message.key then
F.stopBehind(group,message)
end
F.free(group,key)
F.bury(group,message,attempt,reason,reported,row.deadFor)
return false
end
lastTaken=seq
if held then
local side={lease=nonce,at=ends,attempt=attempt+1,lane=message.lane}
if message.lane then
side.expires=message.expires
side.size=not message.key and not message.named and not message.keep and #message.record or nil
F.leaseInLane(group,seq,side,ends,true)
else
call('ZADD',F.keyOf(group,'ends'),ends,F.seqText(seq))
F.putSide(group,seq,side)
end
row.leased=row.leased+1
row.out=row.out+1
if message.expires then
call('ZREM',F.keyOf(group,'reap'),F.seqText(seq))
end
else
lease(seq,seq,attempt+1,message.named~=nil or message.keep~=nil,key)
end
taken=taken+1
bytes=bytes+#message.record
reply[#reply+1]={
seq,
held and 'h' or 'l',
message.at,
message.id,
message.key or '',
message.max or 0,
attempt+1,
reported or '',
message.record,
message.keep or message.lane and 0,
message.lane,
}
return true
end
local function takeEnded()
if row.leased==0 then
return
end
while room()>0 do
local member=call('ZRANGEBYSCORE',F.keyOf(group,'ends'),'-inf',now,'LIMIT',0,1)[1]
if not member then
break
end
if looked>=1024 then
more=true
break
end
if string.match(member,'^%d+$')then
local seq=tonumber(member)
local message,side=F.heldAt(group,seq)
local failed=row.failed+1
call('ZREM',F.keyOf(group,'ends'),member)
row.leased=row.leased - 1
row.out=row.out - 1
take(message,side.attempt,true,message.key,LEASE_LOST)
row.failed=failed
else
local old=F.toLease(member)
F.dropLease(group,old)
before=old.bytes
local seq=old.first
while seq<=old.last and room()>0 and looked<1024 do
local failed=row.failed+1
take(F.logMessage(seq),old.attempt,false,old.key,LEASE_LOST)
row.failed=failed
seq=seq+1
end
if seq<=old.last then
F.addLease(group,F.partOf(old,seq,old.last))
end
end
end
end
local function takeDue()
while row.waiting>0 and room()>0 do
local due=call('ZRANGEBYSCORE',F.keyOf(group,'due'),'-inf',now,'LIMIT',0,math.min(room(),256))
if #due==0 then
break
end
if looked>=1024 then
more=true
break
end
for _,member in ipairs(due)do
if room()==0 then
return
end
local seq=tonumber(member)
local message,side=F.heldAt(group,seq)
call('ZREM',F.keyOf(group,'due'),member)
row.waiting=row.waiting - 1
take(message,side.attempt,true,message.key,side.error)
end
end
end
local blocked=0
local function takeEach(segment,from,amendments,gone)
local i=from
while i<=segment.count and room()>0 and looked<1024 do
local seq=segment.first+i - 1
if gone and gone[seq] then
looked=looked+0.25
else
local message=amendments and amendments[seq] or F.messageAt(segment,i)
local key=message.key
if not key or verdict(message,0)then
take(message,0,false)
elseif F.staysBehind(group,message)then
looked=looked+1
if taken>0 then
blocked=blocked+1
end
else
call('HSET',F.keyOf(group,'heads'),key,F.seqText(seq))
take(message,0,false,key)
end
end
i=i+1
end
return i
end
local function takeStretch(segment,from)
local to=math.min(segment.count,from+room()- 1)
local size=F.sizeOf(segment,from,to)
local columns=segment.columns
local ids,own,named,keep='','',false,nil
if columns then
if columns.id then
ids={}
for i=from,to do
ids[#ids+1]=columns.id[i] or ''
end
for i in pairs(columns.named or{})do
named=named or(i>=from and i<=to)
end
end
if columns.max then
own={}
for i=from,to do
own[#own+1]=columns.max[i] or 0
end
end
if columns.keep then
keep,named={},true
for i=from,to do
keep[#keep+1]=columns.keep[i] or 0
end
end
end
local blob=segment.blob
local ends=4*segment.count
local begin=F.startOf(blob,from)
if from>1 or to<segment.count then
blob=string.sub(blob,4*from - 3,4*to).. string.sub(blob,ends+begin+1,ends+begin+size)
end
local first=segment.first+from - 1
lastTaken=first
reply[#reply+1]={first,to - from+1,segment.at,segment.base,ids,own,begin,blob,keep}
lease(first,segment.first+to - 1,1,named)
taken=taken+to - from+1
bytes=bytes+size
return to+1
end
local function takeFromLog()
local ask,skipped=1,0
while room()>0 and row.cursor<queue.tail do
if looked>=1024 or blocked>=256 or skipped>=64 then
more=true
return
end
local atHand=known and row.cursor>=known.first and row.cursor<=known.last
local entries=atHand and{known}or F.segmentsFrom(row.cursor,ask)
if #entries==0 then
F.corrupt('the log')
end
for _,entry in ipairs(entries)do
if room()==0 or looked>=1024 then
break
end
local segment=atHand and known or F.toSegment(entry)
known=segment
local from=math.max(row.cursor,segment.first)
local place=from - segment.first+1
local amendments=F.amendmentsOf(from,segment.last)
local gone,count=F.goneIn(from,segment.last)
local columns=segment.columns
before=segment.bytes
if count==segment.last - from+1 then
skipped=skipped+1
place=segment.count+1
elseif amendments or gone or(columns and(columns.key or columns.expires or columns.at))then
place=takeEach(segment,place,amendments,gone)
else
place=takeStretch(segment,place)
end
row.cursor=segment.first+place - 1
row.passed=segment.bytes+(place>segment.count and F.sizeOf(segment,1,segment.count)or 0)
ask=math.min(16,math.max(1,math.ceil(room()/segment.count)))
end
end
end
local function takePlain()
local before=taken
takeEnded()
takeDue()
takeFromLog()
local moved=0
while moved<1024 and room()>0 and row.cursor==queue.tail and F.isOverdue()do
moved=moved+F.sweepDelayed(math.min(500,math.max(64,room())))
takeFromLog()
end
takeDue()
return taken>before
end
local takesTurns=onlySome or lanes~=nil and lanes.flows>0
if takesTurns then
` + turns + `F.takeInTurns()
else
if takePlain()and lanes then
lanes.at,lanes.left='',0
end
end
flush()
if #probes>0 and lastTaken then
F.noteProbe(group,probes,lastTaken,nonce)
end
row.served=row.served or taken>0
F.unpin(group)
if concluded then
F.keepOutcomes()
end
F.forgetIds()
if flowsChanged then
F.finishFlows()
end
local function noteNext(next,time)
return next and time and math.min(next,time)or next or time
end
local isOut=room()<=0 and not heldFor and not probeEnds
if
more
or row.join
or isOut and(not onlySome and row.cursor<queue.tail or takesTurns and F.isLeft())
then
reply[3]=0
else
local next
if heldFor or probeEnds then
next=heldFor and math.max(heldFor,probeEnds or 0)or probeEnds
else
next=queue.timer
if row.waiting>0 and not onlySome then
next=noteNext(next,tonumber(call('ZRANGE',F.keyOf(group,'due'),0,0,'WITHSCORES')[2]))
end
if row.leased>0 and not onlySome then
next=noteNext(next,tonumber(call('ZRANGE',F.keyOf(group,'ends'),0,0,'WITHSCORES')[2]))
end
if row.lanes and row.lanes.flows>0 then
for _,kind in ipairs({'rests','lends','wake'})do
next=noteNext(next,tonumber(call('ZRANGE',F.keyOf(group,kind),0,0,'WITHSCORES')[2]))
end
end
next=noteNext(next,queue.over)
end
if next and next<math.huge then
reply[3]=math.max(0,math.ceil(next - now))
end
end
if #settled>0 then
F.finish(settledWakes)
else
F.finish()
end
return reply
`,
  },
  deleteGroup: {
    sha: '92898a7f96f0ec27fe6b1786f7ef81906f5021bc',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + holds + `end
local group=F.open(ARGV[2])
if queue.holds then
F.endHoldsOf(ARGV[2])
end
if not group then
if queueChanged then
F.finish(true)
end
return 0
end
F.allGroups()
groups[group.name]=nil
queue.groups=queue.groups - 1
queueChanged=true
call('HDEL',state,'group:' .. group.name)
F.unlinkGroup(group)
if queue.groups==0 then
F.endMessages()
else
F.trimBelow(F.lowestFloor())
F.cutIds()
end
if queue.scan then
F.cleanIds(500)
end
F.finish(true)
return(queue.scan or queue.untidy)and 1 or 0
`,
  },
  delete: {
    sha: 'c539a41b4d9ba593543d50b4ed7a4cc5478260af',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + group + empty + `if not F.readAll()then
return F.endUnread(2)
end
queue.joining=0
for _,group in pairs(groups)do
group.row.join=nil
F.unlinkGroup(group)
end
for key in pairs(queue.ghosts or{})do
call('UNLINK',base .. key)
end
F.unlinkAll(F.MESSAGE_KEYS)
F.unlinkAll(F.OTHER_KEYS)
redis.pcall('PUBLISH',base .. 'changed','wake')
return 0
`,
  },
  hold: {
    sha: '9675a71dd03353756c60d4ddbce8b2316a24f138',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.open()
local place=F.placeOf(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local ms=tonumber(ARGV[4])
F.putHold(place,{since=clock,ends=ms and now+ms,reason=ARGV[5]~='' and ARGV[5] or nil,probe=ARGV[6]=='1'})
F.touchPlace(place)
F.finish(false)
`,
  },
  lanes: {
    sha: '620dc7b7db0bdc200818f707146f2ea59dfbd36e',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + lanes + holds + show + moves + ids + group + `local group=F.open(ARGV[2])or F.imagineGroup(ARGV[2],'','earliest')
local prefix,limit=ARGV[3],math.min(tonumber(ARGV[4]),500)
local from,to='[' .. prefix,'(' .. prefix .. '\\255'
local behind=string.match(ARGV[5],'^n(.*)$')
local names,seen={},{}
local function isBefore(a,b)
for i=1,math.min(#a,#b)do
local one,other=string.byte(a,i),string.byte(b,i)
if one~=other then
return one<other
end
end
return #a<#b
end
local function note(key,start)
local min=behind and '(' .. start .. behind or '[' .. start .. prefix
local members=call('ZRANGEBYLEX',key,min,'(' .. start .. prefix .. '\\255','LIMIT',0,limit+1)
for _,member in ipairs(members)do
local name=string.sub(member,#start+1)
if not seen[name] then
seen[name]=true
names[#names+1]=name
end
end
end
local coming={}
local function count(lane)
coming[lane]=(coming[lane] or 0)+1
local isWanted=string.sub(lane,1,#prefix)==prefix and(not behind or isBefore(behind,lane))
if isWanted and not seen[lane] then
seen[lane]=true
names[#names+1]=lane
end
end
if queue.laned and F.isOverdue()then
local due=call('ZRANGEBYSCORE',base .. 'timers','-inf',now,'WITHSCORES','LIMIT',0,2000)
for i=1,#due,2 do
local message=cmsgpack.unpack(call('HGET',base .. 'delayed',due[i]))
if message.lane and not F.isSince(group,tonumber(due[i+1]),tonumber(due[i]))then
count(message.lane)
end
end
end
local join=group.row.join
if join and join.lanes then
F.nextWindow(join)
end
local looked=0
while join and join.bound>281474976710656 and looked<2000 do
local messages,bound=F.unjoined(group,2000)
for _,message in ipairs(messages)do
count(message.lane)
end
looked=looked+#messages+1
if bound>=join.bound then
break
end
join.from=bound - 1
end
if group.row.lanes then
note(F.keyOf(group,'lanes'),'')
end
if queue.holds then
note(base .. 'places',F.placeOf(nil,''))
note(base .. 'places',F.placeOf(ARGV[2],''))
end
table.sort(names,isBefore)
local ended={}
if group.row.lanes then
local members=call('ZRANGEBYSCORE',F.keyOf(group,'lends'),'-inf',now,'LIMIT',0,1000)
local sides=#members>0 and call('HMGET',F.keyOf(group,'side'),unpack(members))or{}
for i=1,#members do
local lane=sides[i] and cmsgpack.unpack(sides[i]).lane
if lane then
ended[lane]=(ended[lane] or 0)+1
end
end
end
local function restOf(flow,places)
if flow.ahead+flow.again==0 then
return -1
end
local ends=not flow.byLive and flow.rest or 0
for _,place in ipairs(places)do
local hold=F.holdAt(place)
if F.standingOf(place,hold,group)=='held' then
ends=math.max(ends,hold.ends or math.huge)
end
end
return ends>now and ends<math.huge and math.ceil(ends - now)or -1
end
local reply={#names>limit and limit>0 and 'n' .. names[limit] or ''}
for i=1,math.min(limit,#names)do
local lane=names[i]
local flow=F.flowOf(group,lane)
local size=flow.size+(coming[lane] or 0)
local holds,places={},{F.placeOf(nil,lane),F.placeOf(ARGV[2],lane)}
local live=flow.live -(ended[lane] or 0)
for _,place in ipairs(places)do
holds[#holds+1]=F.showHold(place,F.holdAt(place))
end
if size>0 or #holds>0 then
reply[#reply+1]={lane,size - live,live,restOf(flow,places),holds}
end
end
return reply
`,
  },
  list: {
    sha: 'dc7766c9e39aeb11c2adb07c51c745ba04837c1c',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + group + find + `
loadRest = function()
` + outcomes + lanes + `end
local name,limit,states,isBare=ARGV[2],tonumber(ARGV[3]),ARGV[4],ARGV[5]=='0'
local section,place,idCount=tonumber(ARGV[6]),ARGV[7],tonumber(ARGV[9])
local onlyLane=string.match(ARGV[8],'^l(.*)$')
local group=F.open(name)or F.imagineGroup(name,'','earliest')
local row=group.row
local reply={row.token,'',''}
local bytes,read,looked=0,0,0
local function wants(letters)
return string.find(states,'[' .. letters .. ']')~=nil
end
local function isLive(message)
return message and(not message.expires or message.expires>now)
end
local function isFull()
return #reply - 3>=limit or bytes>=8388608 or read>=33554432 or looked>=2048
end
local function show(state,message,attempt,at,reported,details)
local left=at and at - now or 0
if at and left<=0 then
state='r'
end
if wants(state)and(not onlyLane or onlyLane==(message.lane or ''))then
local record=isBare and F.headersOf(message.record)or message.record
bytes=bytes+#record+#(reported or '')
local entry={
state,
message.at,
message.id,
message.key or '',
message.lane or '',
message.max or 0,
attempt,
left>0 and math.ceil(left)or -1,
reported or '',
record,
}
for _,value in ipairs(details or{})do
entry[#entry+1]=value
bytes=bytes+(type(value)=='string' and #value or 0)
end
reply[#reply+1]=entry
end
end
local function showLeased(message,attempt,ends,number)
show('l',message,attempt,ends,nil,row.running and ends>now and F.progressOf(group,message.seq,number))
end
local function showHeld(message,side)
if side and side.lease then
showLeased(message,side.attempt,side.at,side.lease)
elseif isLive(message)then
if side and side.parked then
local parked=side.parked
show('p',message,side.attempt,nil,nil,{parked.reason,parked.data or '',parked.at})
elseif side and not side.blocked then
show('d',message,side.attempt,side.at,side.error)
elseif not side and message.lane then
show('r',message,0)
else
show('b',message,0)
end
end
end
local function showDead(letter)
if not(letter.ends and letter.ends<=now)then
local details={letter.reason,letter.at,letter.fence,letter.message.seq}
show('x',letter.message,letter.attempt,nil,letter.error,details)
end
end
local function ask()
local each=looked>0 and math.max(1,read/looked)or 33554432/64
return math.min(256,math.max(1,math.floor((33554432 - read)/each)))
end
local function walk(key,each,below)
local from=place=='' and '-inf' or '(' .. place
local last=tonumber(place)or 0
while true do
local count=ask()
local rows=call('ZRANGEBYSCORE',key,from,below or '+inf','LIMIT',0,count)
for _,member in ipairs(rows)do
looked=looked+1
read=read+#member
local seq=each(member)
if not F.isNumber(seq)or seq<=last then
F.corrupt('a message')
end
last=seq
place=string.format('%.0f',seq)
if isFull()then
return true
end
end
if #rows<count then
return false
end
from='(' .. place
end
end
local sections={}
local function showUnlessParked(member)
local message=cmsgpack.unpack(member)
local side=F.sideOf(group,message.seq)
if not(side and side.parked)then
showHeld(message,side)
end
return message.seq
end
local laneBound=row.join and(row.join.lanes or row.join.bound)
sections[1]={'lr',function()
local from=tonumber(place~='' and place or 0)+1
while row.leased>row.out do
local member=call('ZRANGEBYSCORE',F.keyOf(group,'leases'),from,'+inf','LIMIT',0,1)[1]
if not member then
return false
end
local lease=F.toLease(member)
if lease.last<from then
F.corrupt('a lease')
end
for seq=math.max(from,lease.first),lease.last do
local message=F.logMessage(seq)
place=string.format('%.0f',seq)
if not message then
F.corrupt('a lease')
end
looked=looked+1
read=read+#message.record
showLeased(message,lease.attempt,lease.ends,lease.number)
if isFull()then
return true
end
end
from=lease.last+1
end
end}
sections[2]={'ldbr',function()
if onlyLane and onlyLane~='' and place=='' then
place=string.format('%.0f',281474976710656 - 1)
end
local below=onlyLane=='' and 281474976710656 or row.join and row.join.lanes and 281474976710656 or laneBound
return walk(F.keyOf(group,'held'),showUnlessParked,below and string.format('(%.0f',below))
end}
sections[3]={'r',function()
local join=row.join
while join do
if(tonumber(place)or 0)>=join.bound - 1 then
F.nextWindow(join)
end
join.from=math.max(join.from,tonumber(place)or 0)
local messages,bound=F.unjoined(group,ask())
for _,message in ipairs(messages)do
looked=looked+1
read=read+#message.record
place=string.format('%.0f',message.seq)
if isLive(message)then
show('r',message,0)
end
if isFull()then
return true
end
end
if bound>=join.bound and not join.lanes then
return false
end
place=string.format('%.0f',bound - 1)
end
end}
sections[4]={'ldbr',function()
if not laneBound then
return false
end
place=string.format('%.0f',math.max(laneBound - 1,tonumber(place)or 0))
return walk(F.keyOf(group,'held'),showUnlessParked)
end}
sections[5]={'r',function()
local from=math.max(row.cursor,tonumber(place~='' and place or 0)+1)
while from<queue.tail do
local entry=F.segmentsFrom(from,1)[1]
if not entry then
return false
end
local segment=F.toSegment(entry)
local amendments,gone=F.amendmentsOf(segment.first,segment.last),F.goneIn(segment.first,segment.last)
looked=looked+8
read=read+#segment.blob
for seq=math.max(from,segment.first),segment.last do
place=string.format('%.0f',seq)
if gone and gone[seq] then
looked=looked+0.25
else
looked=looked+1
local message=amendments and amendments[seq] or F.messageAt(segment,seq - segment.first+1)
if isLive(message)then
show('r',message,0)
end
end
if isFull()then
return true
end
end
from=segment.last+1
end
return false
end}
local function isBefore(number,at)
return row.since and at<=row.since.at and number<row.since.number
end
sections[6]={'dr',function()
local at,number=string.match(place,'^(.*)/(.*)$')
local index=0
if at then
local rank=call('ZRANK',base .. 'timers',number)
index=rank and rank+1 or call('ZCOUNT',base .. 'timers','-inf',at)
end
while true do
local rows=call('ZRANGE',base .. 'timers',index,index+256 - 1,'WITHSCORES')
for i=1,#rows,2 do
local due=tonumber(rows[i+1])
place=rows[i+1] .. '/' .. rows[i]
looked=looked+1
if not isBefore(tonumber(rows[i]),due)then
local message=F.delayedMessage(rows[i])
if isLive(message)then
read=read+#message.record
show('d',message,0,due)
end
end
if isFull()then
return true
end
end
if #rows<2*256 then
return false
end
index=index+256
end
end}
sections[7]={'x',function()
return walk(F.keyOf(group,'dead'),function(member)
local letter=cmsgpack.unpack(member)
showDead(letter)
return letter.message.seq
end)
end}
local function showDone(outcome)
if outcome.ends<=now or outcome.status=='dead' and F.letterAt(group,outcome.seq)then
return
end
local message={id=outcome.id,key=outcome.key,lane=outcome.lane,at=outcome.at,max=outcome.max,record=''}
show('o',message,outcome.attempt,nil,outcome.error,F.detailsOf(outcome))
end
sections[8]={'p',function()
return walk(F.keyOf(group,'parked'),function(member)
local seq=tonumber(member)
local message,side=F.heldAt(group,seq)
read=read+#message.record
showHeld(message,side)
return seq
end)
end}
sections[9]={'o',function()
return walk(F.keyOf(group,'results'),function(member)
local outcome=cmsgpack.unpack(member)
showDone(outcome)
return outcome.seq
end)
end}
local function showStanding(id)
local found=F.find(id)
if not found then
return
end
if found.number then
local message=F.delayedMessage(found.number)
local at=tonumber(call('ZSCORE',base .. 'timers',F.seqText(found.number)))
if at and isLive(message)and not isBefore(found.number,at)then
show('d',message,0,at)
end
return
end
local spot=F.locate(group,found.seq)
if not spot then
return
end
local message=F.messageIn(group,spot,found.seq)
if not message then
F.corrupt('a message')
end
read=read+#message.record
if spot.kind=='lined' then
showHeld(message)
elseif spot.kind=='leased' then
showLeased(message,spot.lease.attempt,spot.lease.ends,spot.lease.number)
elseif spot.kind=='ahead' or spot.kind=='unjoined' then
if isLive(message)then
show('r',message,0)
end
else
showHeld(message,spot.side)
end
end
local function showLetter(id)
local prefix=F.chainOf(id)
local member=call('ZREVRANGEBYLEX',F.keyOf(group,'letters'),'[' .. prefix .. '\\255','[' .. prefix,'LIMIT',0,1)[1]
local seq=member and tonumber(string.sub(member,#prefix+1))
seq=seq or F.seqOf(id)
local letter=seq and F.letterAt(group,seq)
if letter and letter.message.id==id then
read=read+#letter.message.record
showDead(letter)
end
end
local function showIds()
local first=place=='' and 0 or tonumber(place)
for step=first,3*idCount - 1 do
local id=ARGV[10+math.floor(step/3)]
place=string.format('%.0f',step+1)
if step % 3==2 then
showStanding(id)
elseif step % 3==1 then
local outcome=wants('o')and row.kept and F.outcomeOf(group,id)
if outcome then
showDone(outcome)
end
elseif wants('x')and row.dead>0 then
showLetter(id)
end
if isFull()then
return true
end
end
return false
end
if idCount>=0 then
if showIds()then
reply[2],reply[3]='1',place
end
return reply
end
while sections[section] do
local letters,walkThrough=sections[section][1],sections[section][2]
if wants(letters)and walkThrough()then
reply[2],reply[3]=tostring(section),place
return reply
end
section=section+1
place=''
end
return reply
`,
  },
  purge: {
    sha: 'c56b12ff215872dad485f1a45431ebb7792fb483',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + `end
if not F.readAll()then
return F.endUnread(3)
end
local count=0
local old=groups
queue.joining=0
for _,group in pairs(old)do
local row=F.newRow(ARGV[2] .. count,queue.tail,queue.bytes)
count=count+1
for _,kept in ipairs({'acked','failed','latest','deadFor','parksNext','born','served'})do
row[kept]=group.row[kept]
end
local lanes=group.row.lanes
if lanes then
row.lanes={flows=0,ahead=0,again=0,lost=0,at=lanes.at,left=lanes.left}
end
group.row.join=nil
F.unlinkGroup(group)
group.row=row
group.changed=true
end
F.endMessages()
if queue.scan then
F.cleanIds(500)
end
F.finish(true)
return queue.scan and 1 or 0
`,
  },
  release: {
    sha: '5dfc29f4a7b9617e96d91f0f869c79c32067455d',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.open()
local place=F.placeOf(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local hold=F.holdAt(place)
if not hold then
return 0
end
local standing=F.standingOf(place,hold)
if not standing or ARGV[4]~='1' then
F.endHold(place)
elseif standing=='held' then
F.startProbing(place,hold)
end
F.finish(true)
return standing and 1 or 0
`,
  },
  results: {
    sha: 'b6a871e0eda4b5db769333e08a41cfcde4e2b64b',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + outcomes + `
loadRest = function()
` + lanes + `end
local group=F.open(ARGV[2])
local reply,bytes={},0
local function running(id)
local found=group.row.running and F.find(id)
local place=found and found.seq and F.locate(group,found.seq)
local number,ends
if place and place.kind=='leased' then
number,ends=place.lease.number,place.lease.ends
elseif place and place.kind=='held' then
number,ends=place.side.lease,place.side.at
end
local progress=number and ends>now and F.progressOf(group,found.seq,number)
return progress and{'running',progress[1],progress[2]}
end
for i=3,#ARGV do
local outcome=group and group.row.kept and F.outcomeOf(group,ARGV[i])
local details=outcome and F.detailsOf(outcome)or group and running(ARGV[i])or ''
reply[i - 2]=details
for j=3,#details do
bytes=bytes+#details[j]
end
if bytes>=8388608 then
break
end
end
return reply
`,
  },
  resume: {
    sha: '4c3ce6913122240a063d8c247a3f0d1d05e786b8',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + parked + `
loadRest = function()
` + lanes + holds + `end
local only,blob,max,expiresIn=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
F.open()
local function edit(group,message)
if queue.joining>0 then
F.handOver(group,message)
end
local seq,old=message.seq,message.record
message.record,message.max,message.at=F.recordAt({blob=blob,count=1},1),max,clock
if expiresIn then
message.expires=now+expiresIn
F.noteReap(group,message)
end
call('ZREMRANGEBYSCORE',F.keyOf(group,'held'),seq,seq)
call('ZADD',F.keyOf(group,'held'),seq,cmsgpack.pack(message))
group.row.outside=group.row.outside+#message.record - #old
end
local function resumeIn(group,id,found)
local resumed=false
for _,seq in ipairs(F.parkedOf(group,id,found))do
local place=F.locate(group,seq)
local message=place and place.kind=='parked' and F.heldMessage(group,seq)
if message and not(message.expires and message.expires<=now)then
if blob~='' then
edit(group,message)
end
F.unpark(group,message)
resumed=true
if blob~='' then
break
end
end
end
return resumed
end
local results={}
for i=6,#ARGV do
local found=F.find(ARGV[i])
local digit='0'
for name,group in pairs(F.allGroups())do
if(only=='' or name==only)and resumeIn(group,ARGV[i],found and found.seq)then
digit='1'
end
end
results[#results+1]=digit
end
F.finish(true)
return table.concat(results)
`,
  },
  retryNow: {
    sha: 'c62eb66168f7289019bb715806e857e3d8709ebe',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + `
loadRest = function()
` + lanes + holds + `end
local group=F.open(ARGV[2])
local results={}
for i=3,#ARGV do
local found=group and F.find(ARGV[i])
local place=found and found.seq and F.locate(group,found.seq)
local waits=place and place.kind=='waiting' and place.side.at>now
if waits then
F.endWait(group,found.seq,place.side)
place.side.at=now
F.wait(group,found.seq,place.side)
end
results[#results+1]=waits and '1' or '0'
end
F.finish(true)
return table.concat(results)
`,
  },
  settle: {
    sha: 'e7d45fcec6442df5be780b893da7a1ba0ca335a0',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local group=F.open(ARGV[2])
local settled=F.settleAll(group,3)
if group and group.changed then
F.unpin(group)
if concluded then
F.keepOutcomes()
end
F.forgetIds()
F.finish(settledWakes)
end
return settled
`,
  },
  stats: {
    sha: '5385519968452bb867e3a90fbbf1428fc0df7112',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + group + counts + `
loadRest = function()
` + lanes + holds + show + `end
F.open()
F.allGroups()
local count=ARGV[2]=='' and F.startCount()or cmsgpack.unpack(ARGV[2])
for name in pairs(count.groups)do
if not groups[name] then
count.groups[name]=nil
end
end
if not F.goOn(count,5000)then
return cmsgpack.pack(count)
end
local function ageOf(message)
return message and math.max(0,clock - message.at)
end
local first=F.firstSegment()
local oldest=first and ageOf(first)
local function noteAge(age)
if age and(not oldest or age>oldest)then
oldest=age
end
end
if F.isOverdue()then
local number=call('ZRANGE',base .. 'timers',0,0)[1]
noteAge(number and ageOf(F.delayedMessage(tonumber(number))))
end
local early=queue.early and call('ZRANGE',base .. 'early',0,0)[1]
noteAge(early and ageOf(cmsgpack.unpack(early)))
local reply={queue.holds and F.showHolds()or{},F.countMessages(count),F.bytesRetained(),-1,queue.sent}
for name in pairs(count.groups)do
local group=groups[name]
local row=group.row
local ready,leased,delayed,blocked,parked=F.countGroup(count,group)
local faded=row.dead>0 and call('ZCOUNT',F.keyOf(group,'fade'),'-inf',now)or 0
local floor=F.floorOf(group)
local age=floor<queue.tail and ageOf(F.logMessage(floor))
local held=call('ZRANGE',F.keyOf(group,'held'),0,0)[1]
if held then
age=math.max(age or 0,ageOf(cmsgpack.unpack(held)))
end
if row.lanes and row.lanes.flows>0 then
local first=call('ZRANGEBYSCORE',F.keyOf(group,'held'),string.format('%.0f',281474976710656),'+inf','LIMIT',0,1)[1]
age=first and math.max(age or 0,ageOf(cmsgpack.unpack(first)))or age
end
noteAge(age)
for _,value in ipairs({name,ready,leased,delayed,blocked,parked,row.dead - faded,age or -1,row.acked,row.failed})do
reply[#reply+1]=value
end
end
reply[4]=oldest or -1
return reply
`,
  },
  tidy: {
    sha: 'c12437afa3b59980cc6d918eed302af9d218b92f',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + `
loadRest = function()
` + lanes + `end
F.open()
F.tidy()
F.finish()
return(queue.scan or queue.untidy)and 1 or 0
`,
  },
}
